//! The vocabulary of an end-to-end test: a simulated model that talks, callers who speak known
//! sentences, and ears that tell which sentence was heard and when.
//!
//! Nothing here is part of the product. Everything started by a test ends when its handle is dropped.

pub mod clips;
pub mod ears;
pub mod malformed;
pub mod sim_model;
