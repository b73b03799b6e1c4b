//! Core: one response: what it will send, step by step, and how it ends early.
//!
//! Owns the schedule of its own events. Does not know the conversation: the rules put the items
//! there.

use std::{collections::VecDeque, time::Duration};

use base64::Engine;
use serde_json::{Value, json};

use super::{answer::Part, script::Script, voice::Speech};
use crate::clips::duration_of;

/// A response on its way.
#[derive(Debug)]
pub(super) struct Response {
    /// Its id.
    pub(super) id: String,
    /// Its items go into the conversation. Others run beside it.
    pub(super) in_conversation: bool,
    /// The response object, without status, output and usage.
    pub(super) object: Value,
    /// Its items, in order.
    pub(super) items: Vec<Planned>,
    /// Audio deltas sent so far, over all items.
    pub(super) deltas: u32,
    steps: VecDeque<(Duration, Step)>,
}

/// One item of a response.
#[derive(Debug)]
pub(super) struct Planned {
    /// Its id.
    pub(super) id: String,
    /// What it is.
    pub(super) content: Content,
    /// Where it is.
    pub(super) progress: Progress,
}

/// What an item is.
#[derive(Debug)]
pub(super) enum Content {
    /// A spoken message; `sent` = bytes of the transcript already sent.
    Speech { speech: Speech, sent: usize },
    /// A written message.
    Text(String),
    /// A tool call.
    Call {
        call_id: String,
        name: String,
        arguments: String,
    },
    /// A call of the provider's own that has to be allowed.
    Request {
        server: String,
        tool: String,
        arguments: String,
    },
}

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Waiting,
    Added,
    Done,
}

/// One thing to send.
#[derive(Debug)]
pub(super) enum Step {
    /// An item begins.
    Add(usize),
    /// More words of an item, up to this byte.
    Words(usize, usize),
    /// More audio of an item: these samples.
    Audio(usize, std::ops::Range<usize>),
    /// Arguments or text of an item.
    Body(usize),
    /// An item ends.
    End(usize),
    /// The response ends.
    Finish,
}

impl Response {
    /// Plans a response; `ids` yields item and call ids.
    pub(super) fn plan(
        id: String,
        object: Value,
        parts: Vec<Part>,
        script: &Script,
        now: Duration,
        mut ids: impl FnMut(&str) -> String,
    ) -> Self {
        let written = object["output_modalities"] == json!(["text"]);
        let items: Vec<Planned> = parts
            .into_iter()
            .map(|part| Planned {
                id: ids("item"),
                content: content(part, written, &mut ids),
                progress: Progress::Waiting,
            })
            .collect();
        let steps = schedule(&items, script, now);
        let in_conversation = !object["conversation_id"].is_null();
        Self {
            id,
            in_conversation,
            object,
            items,
            deltas: 0,
            steps,
        }
    }

    /// When the next step is due.
    pub(super) fn due(&self) -> Option<Duration> {
        self.steps.front().map(|(due, _)| *due)
    }

    /// The next step, if it is due.
    pub(super) fn next(&mut self, now: Duration) -> Option<Step> {
        if self.due()? > now {
            return None;
        }
        self.steps.pop_front().map(|(_, step)| step)
    }

    /// The response object with this status.
    pub(super) fn object(&self, status: &str, details: Value, usage: Value) -> Value {
        let begun = self
            .items
            .iter()
            .filter(|item| item.progress != Progress::Waiting);
        let output: Vec<Value> = begun.map(Planned::json).collect();
        let mut object = self.object.clone();
        object["status"] = json!(status);
        object["status_details"] = details;
        object["output"] = json!(output);
        object["usage"] = usage;
        object
    }

    /// An event of this response about one of its items.
    pub(super) fn event(&self, kind: &str, index: usize) -> Value {
        json!({"type": kind, "response_id": self.id, "output_index": index,
            "item_id": self.items[index].id, "content_index": 0})
    }
}

impl Planned {
    /// The item as it stands now.
    pub(super) fn json(&self) -> Value {
        let status = if self.progress == Progress::Done {
            "completed"
        } else {
            "in_progress"
        };
        let mut json = json!({"id": self.id, "object": "realtime.item", "status": status});
        let is_done = self.progress == Progress::Done;
        match &self.content {
            Content::Call {
                call_id,
                name,
                arguments,
            } => {
                json["type"] = json!("function_call");
                json["name"] = json!(name);
                json["call_id"] = json!(call_id);
                json["arguments"] = json!(if is_done { arguments } else { "" });
            }
            Content::Request {
                server,
                tool,
                arguments,
            } => {
                return json!({"id": self.id, "type": "mcp_approval_request",
                    "server_label": server, "name": tool,
                    "arguments": if is_done { arguments } else { "" }});
            }
            Content::Speech { .. } | Content::Text(_) => {
                json["type"] = json!("message");
                json["role"] = json!("assistant");
                json["content"] = if is_done {
                    json!([self.part(true)])
                } else {
                    json!([])
                };
            }
        }
        json
    }

    /// Its content part: `in_item` = with the names used inside items.
    pub(super) fn part(&self, in_item: bool) -> Value {
        match &self.content {
            Content::Speech { speech, sent } => {
                let kind = if in_item { "output_audio" } else { "audio" };
                json!({"type": kind, "transcript": speech.transcript[..*sent]})
            }
            Content::Text(text) => {
                let kind = if in_item { "output_text" } else { "text" };
                json!({"type": kind, "text": text})
            }
            Content::Call { .. } | Content::Request { .. } => Value::Null,
        }
    }
}

fn content(part: Part, written: bool, ids: &mut impl FnMut(&str) -> String) -> Content {
    match part {
        Part::Say(speech) if written => Content::Text(speech.transcript),
        Part::Say(speech) => Content::Speech { speech, sent: 0 },
        Part::Call { name, arguments } => Content::Call {
            call_id: ids("call"),
            name,
            arguments,
        },
        Part::Request {
            server,
            tool,
            arguments,
        } => Content::Request {
            server,
            tool,
            arguments,
        },
    }
}

/// Audio is sent faster than it sounds; words are a little ahead of it.
fn schedule(items: &[Planned], script: &Script, now: Duration) -> VecDeque<(Duration, Step)> {
    let mut steps = VecDeque::new();
    let mut at = now + script.reply_after;
    for (index, item) in items.iter().enumerate() {
        steps.push_back((at.saturating_sub(script.reply_after / 10), Step::Add(index)));
        if let Content::Speech { speech, .. } = &item.content {
            for (range, words) in pieces(speech) {
                let length = duration_of(range.len());
                steps.push_back((at, Step::Words(index, words)));
                steps.push_back((at, Step::Audio(index, range)));
                at += length.div_f32(script.pace.max(0.1));
            }
        } else {
            steps.push_back((at, Step::Body(index)));
        }
        steps.push_back((at, Step::End(index)));
    }
    steps.push_back((at, Step::Finish));
    steps
}

/// Deltas of uneven length, as they come from the provider, with the end of the words that
/// belong to them.
fn pieces(speech: &Speech) -> Vec<(std::ops::Range<usize>, usize)> {
    const LENGTHS: [usize; 4] = [2_400, 4_800, 3_600, 4_320];
    let total = speech.pcm.len();
    let mut pieces = Vec::new();
    let mut from = 0;
    while from < total {
        let to = (from + LENGTHS[pieces.len() % LENGTHS.len()]).min(total);
        pieces.push((
            from..to,
            words_by(&speech.transcript, to as f32 / total as f32),
        ));
        from = to;
    }
    pieces
}

/// The end of the word that is reached after this share of the text.
fn words_by(text: &str, share: f32) -> usize {
    let wanted = (text.len() as f32 * share) as usize;
    text.char_indices()
        .map(|(at, _)| at)
        .filter(|at| text[*at..].starts_with(' '))
        .find(|at| *at >= wanted)
        .unwrap_or(text.len())
}

/// Samples as they stand on the wire.
pub(super) fn encode(pcm: &[i16]) -> String {
    let bytes: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
