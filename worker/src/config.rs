//! Adapter: the settings of the worker.

pub mod duration;
pub mod secret;

pub use secret::Secret;
