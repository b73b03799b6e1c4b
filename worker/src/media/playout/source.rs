//! Adapter: the audio source of the agent's track.
//!
//! Takes 10 ms frames at 24 kHz mono without any queue of its own: the only queue on the way out is
//! the playout's. Does not pace.

use crate::media::Frame;

/// Where the agent's voice goes.
pub struct AgentSource {
    capture: Box<dyn FnMut(&Frame) + Send>,
}

impl AgentSource {
    /// A source that hands every frame to `capture`.
    #[cfg(test)]
    pub(crate) fn from_fn(capture: impl FnMut(&Frame) + Send + 'static) -> Self {
        Self {
            capture: Box::new(capture),
        }
    }

    /// Hands one frame to the encoder, within the call.
    pub(crate) fn capture(&mut self, frame: &Frame) {
        (self.capture)(frame);
    }
}

impl std::fmt::Debug for AgentSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentSource")
    }
}
