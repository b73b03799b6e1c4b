//! End-to-end encryption as LiveKit's clients do it: frames and messages are sealed with AES-128-GCM under
//! a key that the server does not have.
//!
//! A key is derived from a passphrase or a secret, for everybody or for one participant, and has an index,
//! so that a new one can be handed out before it is used. Each key begins a chain (its ratchet): who has it
//! can derive all that follow and none that came before. What cannot be opened is dropped and told, never
//! played.
//!
//! [`keys`], [`frame`], [`guard`] and [`message`] decide; [`cipher`] names the cryptography; [`ahead`] derives
//! what a packet must not wait for. Where packets pass stands `engine::cryptor`.

pub(crate) mod ahead;
pub(crate) mod cipher;
pub(crate) mod frame;
pub(crate) mod guard;
pub(crate) mod keys;
pub(crate) mod message;
pub(crate) mod nonces;
#[cfg(test)]
mod vectors;
