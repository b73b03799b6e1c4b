//! `room-agent`: a worker that puts a speech-to-speech AI into LiveKit rooms.

pub mod admin;
pub mod agents;
pub mod app;
pub mod cli;
pub mod config;
pub mod console;
pub mod dispatch;
pub mod exit;
pub mod jobs;
pub mod media;
pub mod model;
pub mod room;
pub mod server_api;
pub mod session;
pub mod shutdown;
pub mod telemetry;
pub mod tooling;
