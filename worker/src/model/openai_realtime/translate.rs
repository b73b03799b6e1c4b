//! Core: wire events → facts in our words; orders → wire events.
//!
//! Keeps what spans several events of one connection: the text of user items so far, which calls
//! were reported, which items still expect audio. It sends nothing, plays nothing and knows no
//! clock; samples pass through it once, decoded.

mod asides;
mod mcp;
mod orders;

use std::{collections::VecDeque, time::Duration};

use dialog::model::{CallId, Event, ItemId, ResponseId, ResponseStatus, Tag};

use super::wire::{
    audio::AudioDecoder,
    server_event::{Delta, ErrorBody, Item, ItemOf, ItemRef, Response, ServerEvent},
};
use tools::mcp::Listed;

use crate::{media::Pcm, model::reconnect};

pub(super) use mcp::listing;
pub(super) use orders::{order_json, tag_of_event_id};

use asides::Asides;

/// Calls remembered, so that one that is told twice runs once. More than one response ever makes.
const SEEN_CALLS: usize = 256;

/// User items whose text is being collected. Transcription of a turn ends long before 32 more.
const OPEN_TRANSCRIPTS: usize = 32;

/// Bytes of text kept per user item while it grows; a final text is passed on whole.
const TRANSCRIPT_LIMIT: usize = 64 * 1024;

/// What an event means.
#[derive(Debug, PartialEq)]
pub(super) enum Fact {
    /// Samples for the playout.
    Audio {
        response: ResponseId,
        item: ItemId,
        pcm: Pcm,
    },
    /// No more samples of this item.
    AudioDone { response: ResponseId, item: ItemId },
    /// For the driver.
    Event(Event),
    /// The provider lists the tools of an MCP server so.
    Listed { server: String, tools: Vec<Listed> },
    /// The provider will not go on with this connection, for the reason of this code.
    Refused { code: String },
    /// Somebody begins to speak, at this moment of what the connection was told; `None` = not told.
    TurnBegins(Option<Duration>),
    /// A type we do not know, by its name.
    Unknown { kind: String },
    /// Understood as JSON, but it makes no sense; holds what is wrong, without content.
    Unusable(&'static str),
}

/// The memory of one connection.
#[derive(Debug, Default)]
pub(super) struct Translator {
    asides: Asides,
    decoder: AudioDecoder,
    /// Items that got audio and were not finished, in order; the last one is being spoken.
    speaking: VecDeque<(ResponseId, ItemId)>,
    seen_calls: VecDeque<CallId>,
    /// The latest response: not every item of an MCP server says whose it is.
    responding: Option<ResponseId>,
    transcripts: VecDeque<(ItemId, String)>,
}

impl Translator {
    /// Adds the facts of one event, in order.
    pub(super) fn translate(&mut self, event: ServerEvent<'_>, facts: &mut Vec<Fact>) {
        match event {
            // Nobody is to hear what was asked for in writing, should it come as sound.
            ServerEvent::AudioDelta(delta) | ServerEvent::TranscriptDelta(delta)
                if self.asides.holds(&delta.response_id) => {}
            ServerEvent::AudioDelta(delta) => self.on_audio(&delta, facts),
            ServerEvent::AudioDone(done) => self.on_audio_done(&done, facts),
            ServerEvent::Committed(ItemRef { item_id }) => {
                facts.push(Fact::Event(Event::Committed {
                    item: item(&item_id),
                }));
            }
            ServerEvent::Error(error) => on_error(&error, facts),
            ServerEvent::Ignored | ServerEvent::SessionCreated(_) | ServerEvent::SessionUpdated => {
            }
            ServerEvent::McpItemDone(item) => {
                self.on_mcp_item(None, item, facts);
            }
            ServerEvent::McpListingFailed => {
                facts.push(Fact::Unusable(
                    "the tools of an MCP server could not be listed",
                ));
            }
            ServerEvent::OutputItemDone { response_id, .. } if self.asides.holds(&response_id) => {}
            ServerEvent::OutputItemDone { response_id, item } => {
                let id = item.id.clone().unwrap_or_default();
                self.finish(|(_, speaking)| speaking.as_str() == id, facts);
                self.on_item(&ResponseId::new(response_id.as_ref()), item, facts);
            }
            ServerEvent::ResponseCreated(response) if self.asides.begin(&response) => {}
            ServerEvent::ResponseCreated(response) => {
                self.responding = Some(ResponseId::new(response.id.as_str()));
                facts.push(Fact::Event(created(*response)));
            }
            ServerEvent::ResponseDone(response) => match self.asides.end(&response) {
                Some(tag) => on_aside_done(tag, &response, facts),
                None => self.on_response_done(*response, facts),
            },
            ServerEvent::SpeechStarted {
                item_id,
                audio_start_ms,
            } => {
                let at = audio_start_ms.and_then(|at| u64::try_from(at).ok());
                facts.push(Fact::TurnBegins(at.map(Duration::from_millis)));
                facts.push(Fact::Event(Event::SpeechStarted {
                    item: item(&item_id),
                }));
            }
            ServerEvent::SpeechStopped(ItemRef { item_id }) => {
                facts.push(Fact::Event(Event::SpeechStopped {
                    item: item(&item_id),
                }));
            }
            ServerEvent::TranscriptDelta(Delta {
                response_id,
                item_id,
                delta,
            }) => {
                let (response, item) = self.ids(&response_id, &item_id);
                let text = delta.into_owned();
                facts.push(Fact::Event(Event::TranscriptDelta {
                    response,
                    item,
                    text,
                }));
            }
            ServerEvent::Unknown { kind } => facts.push(Fact::Unknown { kind }),
            ServerEvent::UserTranscriptDelta { item_id, delta } => {
                facts.push(Fact::Event(self.on_user_text(&item_id, &delta)));
            }
            ServerEvent::UserTranscriptDone {
                item_id,
                transcript,
            } => {
                let item = item(&item_id);
                self.transcripts.retain(|(open, _)| *open != item);
                let text = transcript;
                facts.push(Fact::Event(Event::UserTranscript {
                    item,
                    text,
                    is_final: true,
                }));
            }
            ServerEvent::UserTranscriptFailed(ItemRef { item_id }) => {
                let item = item(&item_id);
                self.transcripts.retain(|(open, _)| *open != item);
                facts.push(Fact::Event(Event::UserTranscriptFailed { item }));
            }
        }
    }

    /// Items that still expect audio when the connection ends, oldest first.
    pub(super) fn into_unfinished(self) -> impl Iterator<Item = (ResponseId, ItemId)> {
        self.speaking.into_iter()
    }

    fn on_audio(&mut self, delta: &Delta<'_>, facts: &mut Vec<Fact>) {
        let (response, item) = self.ids(&delta.response_id, &delta.item_id);
        self.start_speaking(&response, &item, facts);
        match self.decoder.decode(&delta.delta) {
            Ok(pcm) if pcm.as_slice().is_empty() => {}
            Ok(pcm) => facts.push(Fact::Audio {
                response,
                item,
                pcm,
            }),
            Err(_) => facts.push(Fact::Unusable("audio is not base64")),
        }
    }

    /// Audio of a response comes in playing order, but the `done` of an earlier item may come as
    /// late as the end of the response: the first audio of the next item finishes it.
    fn start_speaking(&mut self, response: &ResponseId, item: &ItemId, facts: &mut Vec<Fact>) {
        let is_current = self
            .speaking
            .back()
            .is_some_and(|(r, i)| r == response && i == item);
        if is_current {
            return;
        }
        self.decoder.start_item();
        self.finish(|(earlier, _)| earlier == response, facts);
        self.speaking.push_back((response.clone(), item.clone()));
    }

    fn on_audio_done(&mut self, done: &ItemOf<'_>, facts: &mut Vec<Fact>) {
        let (response, item) = self.ids(&done.response_id, &done.item_id);
        self.finish(|(r, i)| *r == response && *i == item, facts);
    }

    fn finish(&mut self, is_over: impl Fn(&(ResponseId, ItemId)) -> bool, facts: &mut Vec<Fact>) {
        self.speaking.retain(|entry| {
            let over = is_over(entry);
            if over {
                let (response, item) = entry.clone();
                facts.push(Fact::AudioDone { response, item });
            }
            !over
        });
    }

    fn on_item(&mut self, response: &ResponseId, item: Item, facts: &mut Vec<Fact>) {
        match item.kind.as_deref() {
            Some("function_call") => self.on_call(response, item, facts),
            Some(kind) if kind.starts_with("mcp_") => {
                self.on_mcp_item(Some(response), item, facts);
            }
            _ => {}
        }
    }

    fn on_call(&mut self, response: &ResponseId, item: Item, facts: &mut Vec<Fact>) {
        // The arguments of an interrupted call are cut off somewhere.
        if item.status.as_deref() == Some("incomplete") {
            return;
        }
        let (Some(call), Some(name)) = (item.call_id, item.name) else {
            facts.push(Fact::Unusable("a function call without id or name"));
            return;
        };
        let call = CallId::new(call);
        if !self.is_news(&call) {
            return;
        }
        facts.push(Fact::Event(Event::FunctionCall {
            response: response.clone(),
            item: ItemId::new(item.id.unwrap_or_default()),
            call,
            name,
            arguments: item.arguments.unwrap_or_default(),
        }));
    }

    /// Whether this is told for the first time.
    fn is_news(&mut self, call: &CallId) -> bool {
        if self.seen_calls.contains(call) {
            return false;
        }
        if self.seen_calls.len() == SEEN_CALLS {
            self.seen_calls.pop_front();
        }
        self.seen_calls.push_back(call.clone());
        true
    }

    fn on_response_done(&mut self, body: Response, facts: &mut Vec<Fact>) {
        let response = ResponseId::new(body.id.as_str());
        self.finish(|(r, _)| *r == response, facts);
        let status = status(&body);
        // Servers that send no `output_item.done` tell their calls only here.
        if status == ResponseStatus::Completed {
            for item in body.output.into_iter().flatten() {
                self.on_item(&response, item, facts);
            }
        }
        let fatal = fatal(&status);
        let usage = body.usage.map(|usage| usage.counts().into_usage());
        facts.push(Fact::Event(Event::ResponseDone {
            response,
            status,
            usage,
        }));
        facts.extend(fatal);
    }

    fn on_user_text(&mut self, item_id: &str, delta: &str) -> Event {
        let at = self
            .transcripts
            .iter()
            .position(|(open, _)| open.as_str() == item_id);
        let at = at.unwrap_or_else(|| {
            if self.transcripts.len() == OPEN_TRANSCRIPTS {
                self.transcripts.pop_front();
            }
            self.transcripts.push_back((item(item_id), String::new()));
            self.transcripts.len() - 1
        });
        let (item, text) = &mut self.transcripts[at];
        if text.len() + delta.len() <= TRANSCRIPT_LIMIT {
            text.push_str(delta);
        }
        Event::UserTranscript {
            item: item.clone(),
            text: text.clone(),
            is_final: false,
        }
    }

    /// The ids of a delta; those of the item being spoken are shared, not copied.
    fn ids(&self, response: &str, item: &str) -> (ResponseId, ItemId) {
        match self.speaking.back() {
            Some((r, i)) if r.as_str() == response && i.as_str() == item => (r.clone(), i.clone()),
            _ => (ResponseId::new(response), ItemId::new(item)),
        }
    }
}

fn on_aside_done(tag: Tag, body: &Response, facts: &mut Vec<Fact>) {
    let status = status(body);
    let text: String = body.output.iter().flatten().map(Item::text).collect();
    let is_usable = status == ResponseStatus::Completed && !text.is_empty();
    facts.push(Fact::Event(Event::Consulted {
        tag,
        answer: is_usable.then_some(text),
        usage: body.usage.as_ref().map(|usage| usage.counts().into_usage()),
    }));
    facts.extend(fatal(&status));
}

/// What ends the use of this provider.
fn fatal(status: &ResponseStatus) -> Option<Fact> {
    match status {
        ResponseStatus::Failed { code } if reconnect::is_fatal(code) => {
            Some(Fact::Refused { code: code.clone() })
        }
        _ => None,
    }
}

fn item(id: &str) -> ItemId {
    ItemId::new(id)
}

fn created(body: Response) -> Event {
    let tag = body
        .metadata
        .and_then(|metadata| metadata.client_event_id)
        .map(Tag::new);
    Event::ResponseCreated {
        response: ResponseId::new(body.id),
        tag,
    }
}

fn status(body: &Response) -> ResponseStatus {
    match body.status.as_deref() {
        Some("cancelled") => ResponseStatus::Cancelled,
        Some("failed") => {
            let error = body
                .status_details
                .as_ref()
                .and_then(|details| details.error.as_ref());
            let code = error.map_or_else(|| "unknown".to_owned(), ErrorBody::code);
            ResponseStatus::Failed { code }
        }
        Some("incomplete") => ResponseStatus::Incomplete,
        _ => ResponseStatus::Completed,
    }
}

fn on_error(error: &ErrorBody, facts: &mut Vec<Fact>) {
    let code = error.code();
    if reconnect::is_fatal(&code) || code == "session_expired" {
        facts.push(Fact::Refused { code });
        return;
    }
    let tag = error.event_id.as_deref().and_then(tag_of_event_id);
    facts.push(Fact::Event(Event::Error { code, tag }));
}

#[cfg(test)]
mod tests;
