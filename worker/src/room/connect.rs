//! Adapter: joining a LiveKit room.
//!
//! Owns the options with which an agent joins: nothing is received until the audience asks for it,
//! one peer connection where the server knows how, small limits for what strangers may send, and the key of
//! an encrypted room.
//! It does not retry beyond the few attempts of one join: jobs decide what a failure means.

use std::time::Duration;

use livekit::{
    E2eeOptions, RoomError,
    e2ee::{
        EncryptionType,
        key_provider::{KeyProvider, KeyProviderOptions},
    },
    prelude::{Room, RoomOptions},
    rtc_engine::EngineError,
};
use livekit_signaling::SignalError;

use super::{Joined, beginning};
use crate::config::Secret;

/// How long a join may take in all. Ten seconds: people wait about as long before they hang up.
pub const JOIN_DEADLINE: Duration = Duration::from_secs(10);

/// How long one attempt to open the signal connection may take, so that a second one fits in.
const ATTEMPT: Duration = Duration::from_secs(4);

/// How long a room that is of no use any more may take to be closed.
const LEAVING: Duration = Duration::from_secs(3);

/// Attempts after the first. Few: the server takes each for a new participant of our identity.
const RETRIES: u32 = 2;

/// The longest text or file a participant may send to us: a recording of what they said before.
const LONGEST_STREAM: usize = beginning::LONGEST;

/// Why a room could not be joined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The server did not answer in time.
    #[error("no answer within {} s", JOIN_DEADLINE.as_secs())]
    Deadline,
    /// The server does not take the token.
    #[error("the token is not accepted")]
    Unauthorized,
    /// The server or the network refused.
    #[error("refused: {0}")]
    Refused(#[source] Box<RoomError>),
}

/// Joins the room that the token names. With a key everything we send is sealed with it, and what others sealed
/// is opened; an empty one is none.
pub async fn connect(url: &str, token: &Secret, key: &Secret) -> Result<Joined, ConnectError> {
    let joining = async {
        let mut options = options();
        options.encryption = encryption(key).await;
        Room::connect(url, token.expose(), options).await
    };
    match tokio::time::timeout(JOIN_DEADLINE, joining).await {
        Ok(Ok(joined)) => Ok(joined),
        Ok(Err(error)) if is_unauthorized(&error) => Err(ConnectError::Unauthorized),
        Ok(Err(error)) => Err(ConnectError::Refused(Box::new(error))),
        Err(_) => Err(ConnectError::Deadline),
    }
}

/// Only what the server's own validation says counts: a refused WebSocket upgrade may carry the same
/// status while the server is merely overloaded.
fn is_unauthorized(error: &RoomError) -> bool {
    match error {
        RoomError::Engine(EngineError::Signal(SignalError::Client(status, _))) => {
            matches!(status.as_u16(), 401 | 403)
        }
        _ => false,
    }
}

/// Leaves a room that is of no use any more; one that does not answer is let go of.
pub(super) async fn leave(room: &Room) {
    let _ = tokio::time::timeout(LEAVING, room.close()).await;
}

/// On a thread that may wait: deriving the key takes tens of milliseconds on purpose.
async fn encryption(key: &Secret) -> Option<E2eeOptions> {
    if key.is_empty() {
        return None;
    }
    let key = key.clone();
    let derive = move || KeyProvider::with_shared_key(keys(), key.expose().as_bytes().to_vec());
    let key_provider = tokio::task::spawn_blocking(derive).await;
    Some(E2eeOptions {
        encryption_type: EncryptionType::Gcm,
        key_provider: key_provider.expect("it does not panic"),
    })
}

/// As the web client has it for a shared key: always tried, and it does not move on by itself. Somebody with
/// another key costs one attempt per packet that way.
fn keys() -> KeyProviderOptions {
    KeyProviderOptions {
        ratchet_window_size: 0,
        failure_tolerance: -1,
        ..KeyProviderOptions::default()
    }
}

fn options() -> RoomOptions {
    let mut options = RoomOptions::default();
    options.auto_subscribe = false;
    options.adaptive_stream = false;
    options.dynacast = false;
    options.connect_timeout = ATTEMPT;
    options.join_retries = RETRIES;
    options.data_stream = options
        .data_stream
        .with_max_payload_byte_length(LONGEST_STREAM);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_unauthorized_by(signal: SignalError) -> bool {
        is_unauthorized(&RoomError::Engine(EngineError::Signal(signal)))
    }

    #[test]
    fn only_the_servers_own_word_about_the_token_counts() {
        let client = |status: u16| SignalError::Client(status.try_into().unwrap(), String::new());
        assert!(is_unauthorized_by(client(401)));
        assert!(is_unauthorized_by(client(403)));
        assert!(!is_unauthorized_by(client(404)));
        let status = 401.try_into().unwrap();
        assert!(!is_unauthorized_by(SignalError::Handshake { status }));
        let chance = SignalError::Connection("port 4010: refused".to_owned());
        assert!(!is_unauthorized_by(chance));
    }
}
