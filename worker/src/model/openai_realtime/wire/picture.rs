//! Adapter: a picture as the provider takes it.

use base64::{Engine, engine::general_purpose::STANDARD};
use dialog::model::Picture;

/// The picture as a data URL (RFC 2397).
pub(in crate::model) fn data_url(picture: &Picture) -> String {
    let mime_type = picture.format.mime_type();
    format!("data:{mime_type};base64,{}", STANDARD.encode(&picture.data))
}
