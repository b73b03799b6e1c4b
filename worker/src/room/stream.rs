//! Adapter: bytes of a participant, as a stream of the room.

use bytes::Bytes;
use futures_util::StreamExt;
use livekit::ByteStreamReader;

/// Reads a stream to its end, unless it is longer than that many bytes.
///
/// # Errors
/// Why it did not come, for the log.
pub(super) async fn read_all(
    reader: &mut ByteStreamReader,
    longest: usize,
) -> Result<Bytes, String> {
    let mut all = Vec::new();
    while let Some(piece) = reader.next().await {
        all.extend_from_slice(&piece.map_err(|error| error.to_string())?);
        if all.len() > longest {
            return Err("it is too long".to_owned());
        }
    }
    Ok(all.into())
}
