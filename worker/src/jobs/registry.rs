//! Core: a read-only picture of the sessions, for admin and console.

use std::time::SystemTime;

use crate::telemetry::Pii;

/// One session as others may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its job.
    pub job: String,
    /// The room's name.
    pub room: Pii<String>,
    /// The agent name it was called by.
    pub agent_name: String,
    /// The agent definition it runs.
    pub agent: String,
    /// When the job was assigned.
    pub since: SystemTime,
    /// It was told to come to an end.
    pub is_ending: bool,
}
