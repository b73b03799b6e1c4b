//! Core: the conversation of one agent with the people in its room.
//!
//! Owns what was said, who may speak and what must happen next. It does not know clocks, sockets,
//! tasks, rooms or providers: facts come in as [`Input`], orders and observations go out as
//! [`Output`].
//!
//! The three laws:
//! 1. Time comes in as `now`; the core never asks for it.
//! 2. After every `handle*`, drain [`Dialog::poll_output`] to `None`, then sleep until
//!    [`Dialog::poll_timeout`].
//! 3. No output is a question. The core decides; the world reports facts later as inputs.

pub mod config;
pub mod input;
pub mod model;
pub mod note;
pub mod output;
pub mod speaker;

use std::time::Instant;

pub use config::Config;
pub use input::Input;
pub use output::Output;

/// The state of one conversation.
#[derive(Debug)]
pub struct Dialog {
    config: Config,
}

impl Dialog {
    /// A conversation that has not begun.
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Takes in one fact.
    pub fn handle(&mut self, _now: Instant, _input: Input) {
        let _ = &mut self.config;
    }

    /// Acts on every timer that has run out at `now`.
    pub fn handle_timeout(&mut self, _now: Instant) {
        let _ = &mut self.config;
    }

    /// The next order or observation; drain to `None` after every `handle*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        let _ = &mut self.config;
        None
    }

    /// When [`Self::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
