//! Adapter: the provider's JSON and our typed events.
//!
//! The root of the only files that know the provider's field names. What the server sends is read
//! borrowed and tolerantly: unknown fields are skipped, unknown events are kept by name. It gives no
//! event a meaning; that is `translate`.

pub(super) mod audio;
pub(super) mod client_event;
pub(super) mod picture;
pub(super) mod server_event;
