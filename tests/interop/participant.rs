//! One side of a call, whatever engine it stands on.

use serde::Deserialize;

use crate::{ours::Ours, program::Program};

/// A participant with a microphone and ears.
pub(crate) enum Participant {
    /// Our engine, in this process.
    Ours(Box<Ours>),
    /// Another engine, in a program of its own.
    Program(Box<Program>),
}

/// What a participant seals and opens with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Keys {
    None,
    /// One passphrase for everybody.
    Shared(&'static str),
    /// Each participant's, by identity.
    Own(&'static [(&'static str, &'static str)]),
}

/// Bytes of a lossy message and of no other: it fits in one packet, which is what they are for.
pub(crate) const SMALL: usize = 1_200;

/// A message of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) payload: Vec<u8>,
    pub(crate) reliable: bool,
}

/// What a participant loses and must get back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The socket of the signals; media go on.
    Signals,
    /// Every connection; tracks are published anew.
    Everything,
}

/// What a participant noticed of the other one.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Facts {
    /// Tracks that came.
    pub(crate) tracks: usize,
    /// Tracks that went.
    pub(crate) lost_tracks: usize,
    /// Times that it came back itself.
    pub(crate) reconnected: usize,
    /// Muted and unmuted, in order.
    pub(crate) mutes: Vec<bool>,
    /// Times that it told of something it could not decrypt.
    pub(crate) unopened: usize,
    /// Times that it followed the other one's key down its chain.
    pub(crate) followed: usize,
    /// Media type of the track, as the server announces it.
    pub(crate) told: String,
    /// Media types this one sends, by its statistics; empty when they do not say.
    pub(crate) sends: String,
    /// The same for what it receives.
    pub(crate) receives: String,
}

impl Participant {
    /// What only our engine tells.
    pub(crate) fn ours(&mut self) -> Option<&mut Ours> {
        match self {
            Self::Ours(ours) => Some(ours),
            Self::Program(_) => None,
        }
    }

    /// Returns when the last sample has left.
    pub(crate) async fn say(&mut self, pcm: &[i16]) -> Result<(), String> {
        match self {
            Self::Ours(ours) => ours.say(pcm).await,
            Self::Program(program) => program.say(pcm).await,
        }
    }

    /// What was heard from that sample on, 24 kHz mono, as it would have been played.
    pub(crate) async fn listen(&mut self, since: usize) -> Result<Vec<i16>, String> {
        match self {
            Self::Ours(ours) => Ok(ours.listen(since)),
            Self::Program(program) => program.listen(since).await,
        }
    }

    /// Samples heard so far.
    pub(crate) async fn position(&mut self) -> Result<usize, String> {
        match self {
            Self::Ours(ours) => Ok(ours.position()),
            Self::Program(program) => program.position().await,
        }
    }

    pub(crate) async fn mute(&mut self, on: bool) -> Result<(), String> {
        match self {
            Self::Ours(ours) => {
                ours.mute(on);
                Ok(())
            }
            Self::Program(program) => program.mute(on).await,
        }
    }

    pub(crate) async fn send(&mut self, packet: &Packet) -> Result<(), String> {
        match self {
            Self::Ours(ours) => ours.send(packet).await,
            Self::Program(program) => program.send(packet).await,
        }
    }

    /// Sends a text as a stream of as many pieces as it needs.
    pub(crate) async fn write(&mut self, text: &str) -> Result<(), String> {
        match self {
            Self::Ours(ours) => ours.write(text).await,
            Self::Program(program) => program.write(text).await,
        }
    }

    /// Loses its connections and makes new ones, or only the signals, with a restart of ICE.
    pub(crate) async fn reconnect(&mut self, loss: Loss) -> Result<(), String> {
        match self {
            Self::Ours(ours) => ours.reconnect(loss).await,
            Self::Program(program) => program.reconnect(loss == Loss::Everything).await,
        }
    }

    /// Sets somebody's key at an index; its own is used from now on.
    pub(crate) async fn set_key(&mut self, whose: &str, key: &str, at: u8) -> Result<(), String> {
        match self {
            Self::Ours(ours) => ours.set_key(whose, key, at),
            Self::Program(program) => program.set_key(whose, key, at).await,
        }
    }

    /// Moves its own key one step down its chain and tells nobody.
    pub(crate) async fn ratchet(&mut self, at: u8) -> Result<(), String> {
        match self {
            Self::Ours(ours) => ours.ratchet(at),
            Self::Program(program) => program.ratchet(at).await,
        }
    }

    /// Packets and texts that came so far.
    pub(crate) async fn inbox(&mut self) -> Result<(Vec<Packet>, Vec<String>), String> {
        match self {
            Self::Ours(ours) => Ok(ours.inbox()),
            Self::Program(program) => program.inbox().await,
        }
    }

    pub(crate) async fn facts(&mut self) -> Result<Facts, String> {
        match self {
            Self::Ours(ours) => ours.facts().await,
            Self::Program(program) => program.facts().await,
        }
    }

    pub(crate) async fn leave(self) -> Result<(), String> {
        match self {
            Self::Ours(ours) => ours.leave().await,
            Self::Program(program) => program.leave().await,
        }
    }
}
