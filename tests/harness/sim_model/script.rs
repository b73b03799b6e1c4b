//! Core: what the simulated model will do: how fast it is, and what goes wrong.

use std::time::Duration;

/// Settings of every connection. Tests change them at any time; the next response obeys.
#[derive(Clone, Debug)]
pub struct Script {
    /// From the start of a response to its first audio.
    pub reply_after: Duration,
    /// Seconds of audio sent per second; live services reach 3 to 5.
    pub pace: f32,
    /// From the end of a user turn to its transcript.
    pub transcribe_after: Duration,
    /// The transcript of what is no known sentence; `None` = a note of its length.
    pub strangers_say: Option<String>,
    /// A connection ends with `session_expired` after this long.
    pub expire_after: Duration,
    /// How the upgrade is answered.
    pub handshake: Handshake,
    /// Keys that are refused with 401; `*` refuses every key.
    pub refused_keys: Vec<String>,
    /// Happens in every response of every connection. For one that happens once, see
    /// [`super::SimModel::arm`].
    pub always: Option<Fault>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            reply_after: Duration::from_millis(250),
            pace: 4.0,
            transcribe_after: Duration::from_millis(150),
            strangers_say: None,
            expire_after: Duration::from_secs(3_600),
            handshake: Handshake::Accept,
            refused_keys: Vec::new(),
            always: None,
        }
    }
}

/// How an upgrade is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// As it should be.
    Accept,
    /// With this HTTP status, for example 429 or 503.
    Refuse(u16),
}

/// Something that goes wrong in a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The response fails with this code, for example `rate_limit_exceeded`.
    Fail(String),
    /// The TCP connection ends without a close frame after that many audio deltas.
    DropLink(u32),
    /// Nothing is read or written any more after that many audio deltas; the socket stays open.
    Stall(u32),
    /// Two thousand malformed frames are sent after that many audio deltas; then it goes on.
    Nonsense(u32),
    /// `session_expired` and close code 1001, at the start of the response.
    Expire,
    /// The response ends as incomplete by the content filter after that many audio deltas; with 0,
    /// before anything of it is said.
    ContentFilter(u32),
}
