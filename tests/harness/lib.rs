//! The vocabulary of an end-to-end test: a real LiveKit server, a simulated model that talks, our
//! worker as a child process, callers who speak known sentences, and ears that tell which sentence
//! was heard and when.
//!
//! ```no_run
//! # async fn story() {
//! use std::{time::{Duration, Instant}};
//! use tests::stack::Stack;
//!
//! let stack = Stack::start().await;
//! let ann = stack.caller("ann", "kitchen").await;
//! let joined = Instant::now();
//! ann.hears("agent-greeting", joined, Duration::from_secs(15)).await;
//! let said = ann.say("caller-apples").await;
//! ann.hears("agent-you-said", said.ended, Duration::from_secs(5)).await;
//! # }
//! ```
//!
//! Nothing here is part of the product. Everything started by a test ends when its handle is dropped.

pub mod booking;
pub mod child;
pub mod clips;
pub mod ears;
pub mod eventually;
pub mod faults;
pub mod flood;
pub mod internet;
pub mod livekit_server;
pub mod malformed;
pub mod microphone;
pub mod network;
pub mod nonsense;
pub mod scrape;
pub mod sentences;
pub mod sim_model;
pub mod sounds;
pub mod stack;
pub mod tool_service;
pub mod user;
pub mod voice;
pub mod worker;
