//! A simulated Realtime model: a real WebSocket server with the provider's rules and a synthetic
//! voice, so that everything can be tried without a key.
//!
//! [`SimModel`] is the handle of a test; the binary `sim-model` serves the same for demo and compose.
//! It does not understand speech: it recognises a few known sentences and repeats everything else. With the
//! tools of a practice it is a receptionist, and whatever is said takes it a step further. Told to speak without
//! end, or never to say anything, it does that.

mod answer;
mod buffer;
mod items;
mod manner;
mod receptionist;
mod register;
mod response;
mod rules;
mod script;
mod server;
mod session;
mod vad;
mod voice;

pub use script::{Fault, Handshake, Script};
pub use server::{FAULT, Recorded, Side, SimModel};

/// Everything that is heard of it when it is asked to count: mono samples at 24 kHz.
pub fn count_to_twenty() -> Vec<i16> {
    voice::count_to_twenty().pcm
}

/// The tools of the MCP server that its provider reaches, as the provider lists them.
pub fn register_of_customers() -> serde_json::Value {
    register::listing()
}
