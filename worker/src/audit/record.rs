//! Core: the closed list of what is put on record.

use serde::Serialize;
use serde_json::Value;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub enum Kind {
    /// Somebody asked something of an agent with a grant, good or not.
    #[serde(rename = "grant.used")]
    GrantUsed,
    /// How far the journal has come, signed where there is a key.
    #[serde(rename = "segment.head")]
    SegmentHead,
    /// A file of the journal begins.
    #[serde(rename = "segment.opened")]
    SegmentOpened,
    /// People were told what they talk to, or could not be told.
    #[serde(rename = "session.disclosed")]
    SessionDisclosed,
    /// A session begins.
    #[serde(rename = "session.started")]
    SessionStarted,
    /// A session is over.
    #[serde(rename = "session.ended")]
    SessionEnded,
    /// A supervisor was asked about a call, and answered or did not.
    #[serde(rename = "tool.approval")]
    ToolApproval,
    /// A tool is about to run.
    #[serde(rename = "tool.intent")]
    ToolIntent,
    /// A tool call is over.
    #[serde(rename = "tool.outcome")]
    ToolOutcome,
}

/// One thing that happened. Holds nothing personal.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Id of the job.
    pub session: String,
    /// What.
    pub kind: Kind,
    /// More about it, as a JSON object.
    pub data: Value,
}
