//! placeholder
pub(crate) mod audio;
