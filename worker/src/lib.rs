//! `room-agent`: a worker that puts a speech-to-speech AI into LiveKit rooms.
//!
//! A guided tour, in the order things happen:
//! - [`cli`] reads the command line, [`config`] the settings; [`app`] wires the parts and decides
//!   when the process ends ([`shutdown`], [`exit`]).
//! - [`dispatch`] keeps the worker registered and answers offers from memory; [`jobs`] runs one
//!   [`session`] per assignment, with the agent that [`agents`] made of its definition.
//! - A session joins its [`room`], opens the [`model`] link, and lets `dialog` decide what happens;
//!   [`media`] carries the sound both ways, [`tooling`] runs what the model calls, [`supervision`]
//!   says what people may ask of the agent.
//! - [`admin`] and [`console`] answer HTTP, [`telemetry`] writes the log and the metrics.

pub mod admin;
pub mod agents;
pub mod app;
pub mod audit;
pub mod cli;
pub mod config;
pub mod console;
pub mod dispatch;
pub mod exit;
pub mod jobs;
pub mod media;
pub mod model;
pub mod redaction;
pub mod room;
pub mod server_api;
pub mod session;
pub mod shutdown;
pub mod supervision;
pub mod telemetry;
pub mod tooling;
pub mod webhook;
