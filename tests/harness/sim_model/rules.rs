//! Core: the provider's rules for one connection.
//!
//! Reads client events and the time, and says what to send. Owns the session, the conversation,
//! the input buffer and the responses. Does not touch sockets: the server does.

use std::{collections::VecDeque, time::Duration};

use rand::{Rng, SeedableRng, distr::Alphanumeric, rngs::StdRng};
use serde_json::{Value, json};

use super::{
    buffer::InputBuffer,
    items::{self, Item, Items},
    manner::Manner,
    response::Response,
    script::{Fault, Script},
    session::{self, Session},
    vad::{Edge, Vad},
    voice,
};
use crate::clips::duration_of;

mod mcp;
mod refusal;
mod speaks;

pub(super) use refusal::Refusal;

/// Something the server must do, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Out {
    /// Send this event.
    Event(Value),
    /// Send this text frame as it is.
    Raw(String),
    /// Close with this code and reason.
    Close(u16, &'static str),
    /// End the TCP connection without a word.
    Drop,
    /// Neither read nor write any more.
    Stall,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Rules {
    script: Script,
    session: Session,
    conversation: String,
    items: Items,
    buffer: InputBuffer,
    vad: Option<Vad>,
    /// The user item that is being spoken, and where its audio starts.
    turn: Option<(String, Duration)>,
    /// At most one of them is in the conversation.
    responses: Vec<Response>,
    manner: Manner,
    /// When the next story of a monologue begins.
    encore: Option<Duration>,
    /// Transcripts on their way, with the item and the time they are due.
    transcripts: VecDeque<(Duration, String)>,
    /// Goes wrong in the next response.
    armed: Option<Fault>,
    /// Goes wrong in the response that runs.
    fault: Option<Fault>,
    /// Audio was produced: the voice is fixed.
    spoke: bool,
    /// Input tokens of the previous response, for the cache.
    input_before: u64,
    expires: Duration,
    ids: StdRng,
    out: VecDeque<Out>,
}

/// Kept before speech while nobody speaks: more than any prefix padding in use.
const PREROLL: Duration = Duration::from_secs(2);
/// Less cannot be committed.
const SHORTEST_COMMIT: Duration = Duration::from_millis(100);

impl Rules {
    /// A new connection. `requested` is the model of the URL; `unix_now` only shows in
    /// `expires_at`.
    pub(super) fn new(script: Script, requested: &str, unix_now: u64, seed: u64) -> Self {
        let mut ids = StdRng::seed_from_u64(seed);
        let expires_at = unix_now + script.expire_after.as_secs();
        let session = Session::new(&new_id(&mut ids, "sess"), requested, expires_at);
        let mut rules = Self {
            conversation: new_id(&mut ids, "conv"),
            items: Items::default(),
            buffer: InputBuffer::default(),
            vad: session
                .vad()
                .map(|settings| Vad::new(settings, Duration::ZERO)),
            turn: None,
            responses: Vec::new(),
            manner: Manner::default(),
            encore: None,
            transcripts: VecDeque::new(),
            armed: None,
            fault: None,
            spoke: false,
            input_before: 0,
            expires: script.expire_after,
            script,
            session,
            ids,
            out: VecDeque::new(),
        };
        let created = json!({"type": "session.created", "session": rules.session.object()});
        rules.send(created);
        rules
    }

    /// The script changed.
    pub(super) fn set_script(&mut self, script: Script) {
        self.expires = script.expire_after;
        self.script = script;
    }

    /// The next response goes wrong like this.
    pub(super) fn arm(&mut self, fault: Fault) {
        self.armed = Some(fault);
    }

    /// The next thing to do, until there is none.
    pub(super) fn poll(&mut self) -> Option<Out> {
        self.out.pop_front()
    }

    /// When [`Self::on_time`] must be called again.
    pub(super) fn next_wakeup(&self) -> Duration {
        let responses = self.responses.iter().filter_map(Response::due);
        let transcripts = self.transcripts.front().map(|(due, _)| *due);
        responses
            .chain(transcripts)
            .chain(self.encore)
            .fold(self.expires, Duration::min)
    }

    /// Reads one text frame.
    pub(super) fn on_text(&mut self, now: Duration, text: &str) {
        let event: Value = match serde_json::from_str(text) {
            Ok(event) => event,
            Err(_) => return self.refuse(&Value::Null, Refusal::event("not valid JSON")),
        };
        if let Err(refusal) = self.on_event(now, &event) {
            self.refuse(&event, refusal);
        }
    }

    /// Does what is due.
    pub(super) fn on_time(&mut self, now: Duration) {
        if now >= self.expires {
            return self.expire();
        }
        self.advance_responses(now);
        if self.encore.is_some_and(|due| due <= now) {
            self.encore = None;
            if self.active().is_none() {
                self.start_response(now, &session::empty());
            }
        }
        while self.transcripts.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, item)) = self.transcripts.pop_front() {
                self.send_transcript(&item);
            }
        }
    }

    fn on_event(&mut self, now: Duration, event: &Value) -> Result<(), Refusal> {
        if !event.is_object() {
            return Err(Refusal::event("not an object"));
        }
        let Some(kind) = event["type"].as_str() else {
            return Err(Refusal::event("'type' is missing or no string"));
        };
        let id_is_fine = match &event["event_id"] {
            Value::Null => true,
            Value::String(id) => id.len() <= 512,
            _ => false,
        };
        if !id_is_fine {
            return Err(Refusal::invalid(
                "event_id",
                "An event id is at most 512 characters.",
            ));
        }
        match kind {
            "session.update" => self.on_session_update(event),
            "input_audio_buffer.append" => self.on_append(now, event),
            "input_audio_buffer.commit" => self.on_commit(now),
            "input_audio_buffer.clear" => self.on_clear(),
            "conversation.item.create" => self.on_item_create(event),
            "conversation.item.retrieve" => self.on_item_retrieve(event),
            "conversation.item.truncate" => self.on_item_truncate(event),
            "conversation.item.delete" => self.on_item_delete(event),
            "response.create" => self.on_response_create(now, event),
            "response.cancel" => self.on_response_cancel(event),
            _ => Err(Refusal::unknown_event(kind)),
        }
    }

    fn on_session_update(&mut self, event: &Value) -> Result<(), Refusal> {
        let patch = event
            .get("session")
            .ok_or_else(|| Refusal::missing("session"))?;
        let before = self.session.vad();
        self.session.update(patch, self.spoke)?;
        let instructions = self.session.object()["instructions"].as_str();
        self.manner = Manner::of(instructions.unwrap_or_default());
        let after = self.session.vad();
        if before != after {
            self.vad = after.map(|settings| Vad::new(settings, self.buffer.clock()));
            self.turn = None;
        }
        self.send(json!({"type": "session.updated", "session": self.session.object()}));
        self.list_servers();
        Ok(())
    }

    fn on_append(&mut self, now: Duration, event: &Value) -> Result<(), Refusal> {
        let audio = event["audio"]
            .as_str()
            .ok_or_else(|| Refusal::missing("audio"))?;
        let Ok(pcm) = self.buffer.append(audio) else {
            return Err(Refusal::invalid(
                "audio",
                "Invalid 'audio': not valid base64.",
            ));
        };
        if self.manner != Manner::Turns {
            self.buffer.clear();
            return Ok(());
        }
        let Some(vad) = &mut self.vad else {
            return Ok(());
        };
        for edge in vad.write(&pcm) {
            match edge {
                Edge::Started { at } => self.on_speech_started(at),
                Edge::Stopped { at } => self.on_speech_stopped(now, at),
            }
        }
        if self.turn.is_none() {
            self.buffer.keep_last(PREROLL);
        }
        Ok(())
    }

    fn on_speech_started(&mut self, at: Duration) {
        let item = self.new_id("item");
        let ms = at.as_millis() as u64;
        self.send(
            json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": ms,
            "item_id": item}),
        );
        self.turn = Some((item, at));
        if self.session.interrupts_responses()
            && let Some(active) = self.active()
        {
            self.cancel(active, "turn_detected");
        }
    }

    fn on_speech_stopped(&mut self, now: Duration, at: Duration) {
        let Some((item, start)) = self.turn.take() else {
            return;
        };
        let ms = at.as_millis() as u64;
        self.send(
            json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": ms,
            "item_id": item}),
        );
        let pcm = self.buffer.take_from(start);
        self.commit(now, item, pcm);
        // A turn that ends while a response runs gets none: the provider does not queue.
        if self.session.creates_responses() && self.active().is_none() {
            self.start_response(now, &session::empty());
        }
    }

    fn on_commit(&mut self, now: Duration) -> Result<(), Refusal> {
        // Under turn detection, only what belongs to a turn is in the buffer.
        let is_empty = self.vad.is_some() && self.turn.is_none();
        let buffered = if is_empty {
            Duration::ZERO
        } else {
            self.buffer.buffered()
        };
        if buffered < SHORTEST_COMMIT {
            return Err(Refusal::too_short(buffered));
        }
        let (item, start) = self
            .turn
            .take()
            .unwrap_or_else(|| (new_id(&mut self.ids, "item"), Duration::ZERO));
        if let Some(vad) = &mut self.vad {
            vad.clear();
        }
        let pcm = self.buffer.take_from(start);
        self.commit(now, item, pcm);
        Ok(())
    }

    fn commit(&mut self, now: Duration, id: String, pcm: Vec<i16>) {
        let mut item = Item::new(
            json!({"id": id, "object": "realtime.item", "type": "message",
            "role": "user", "status": "completed",
            "content": [{"type": "input_audio", "transcript": null}]}),
        );
        item.words = voice::words_of(&pcm, self.script.strangers_say.as_deref());
        item.pcm = pcm;
        let json = item.json.clone();
        let previous = self.items.push(item);
        self.send(
            json!({"type": "input_audio_buffer.committed", "item_id": id,
            "previous_item_id": previous}),
        );
        self.send_item(&json, &previous);
        if self.session.transcribes() {
            self.transcripts
                .push_back((now + self.script.transcribe_after, id));
        }
    }

    fn send_item(&mut self, json: &Value, previous: &Value) {
        for kind in ["conversation.item.added", "conversation.item.done"] {
            self.send(json!({"type": kind, "item": json, "previous_item_id": previous}));
        }
    }

    fn send_transcript(&mut self, id: &str) {
        // An item that was deleted meanwhile is not transcribed.
        let Some(item) = self.items.find_mut(id) else {
            return;
        };
        let (words, seconds) = (
            item.words.clone(),
            duration_of(item.pcm.len()).as_secs_f64(),
        );
        item.json["content"][0]["transcript"] = json!(words);
        let prefix = "conversation.item.input_audio_transcription";
        let half = words.find(' ').map_or(0, |at| at + 1);
        for piece in [&words[..half], &words[half..]]
            .into_iter()
            .filter(|piece| !piece.is_empty())
        {
            self.send(json!({"type": format!("{prefix}.delta"), "item_id": id,
                "content_index": 0, "delta": piece}));
        }
        self.send(json!({"type": format!("{prefix}.completed"), "item_id": id,
            "content_index": 0, "transcript": words,
            "usage": {"type": "duration", "seconds": seconds}}));
    }

    fn on_clear(&mut self) -> Result<(), Refusal> {
        self.buffer.clear();
        self.turn = None;
        if let Some(vad) = &mut self.vad {
            vad.clear();
        }
        self.send(json!({"type": "input_audio_buffer.cleared"}));
        Ok(())
    }

    fn on_item_create(&mut self, event: &Value) -> Result<(), Refusal> {
        let item = event.get("item").ok_or_else(|| Refusal::missing("item"))?;
        let id = self.new_id("item");
        let item = items::from_client(item, id)?;
        let json = item.json.clone();
        let previous = self
            .items
            .insert(item, event["previous_item_id"].as_str())?;
        self.send_item(&json, &previous);
        if json["type"] == "mcp_approval_response" {
            self.on_approval(&json);
        }
        Ok(())
    }

    fn on_item_retrieve(&mut self, event: &Value) -> Result<(), Refusal> {
        let item = self.items.retrieve(text_of(event, "item_id")?)?;
        let mut json = item.json.clone();
        if !item.pcm.is_empty() {
            json["content"][0]["audio"] = json!(super::response::encode(&item.pcm));
        }
        self.send(json!({"type": "conversation.item.retrieved", "item": json}));
        Ok(())
    }

    fn on_item_truncate(&mut self, event: &Value) -> Result<(), Refusal> {
        let id = text_of(event, "item_id")?;
        let part = number_of(event, "content_index")?;
        let end = number_of(event, "audio_end_ms")?;
        self.items.truncate(id, part, Duration::from_millis(end))?;
        self.send(json!({"type": "conversation.item.truncated", "item_id": id,
            "content_index": part, "audio_end_ms": end}));
        Ok(())
    }

    fn on_item_delete(&mut self, event: &Value) -> Result<(), Refusal> {
        let id = text_of(event, "item_id")?;
        self.items.delete(id)?;
        self.send(json!({"type": "conversation.item.deleted", "item_id": id}));
        Ok(())
    }

    fn expire(&mut self) {
        self.responses.clear();
        self.transcripts.clear();
        self.expires = Duration::MAX;
        let message = "Your session hit the maximum duration of 60 minutes.";
        self.send(Refusal::new("session_expired", message, None).into_event(&Value::Null));
        self.out.push_back(Out::Close(1001, message));
    }

    fn refuse(&mut self, event: &Value, refusal: Refusal) {
        self.send(refusal.into_event(event));
    }

    fn send(&mut self, mut event: Value) {
        event["event_id"] = Value::String(self.new_id("event"));
        self.out.push_back(Out::Event(event));
    }

    fn new_id(&mut self, prefix: &str) -> String {
        new_id(&mut self.ids, prefix)
    }
}

fn new_id(ids: &mut StdRng, prefix: &str) -> String {
    let tail: String = ids
        .sample_iter(Alphanumeric)
        .take(21)
        .map(char::from)
        .collect();
    format!("{prefix}_{tail}")
}

fn text_of<'a>(event: &'a Value, key: &str) -> Result<&'a str, Refusal> {
    match &event[key] {
        Value::String(text) => Ok(text),
        Value::Null => Err(Refusal::missing(key)),
        _ => Err(Refusal::invalid(
            key,
            &format!("Invalid type for '{key}': expected a string."),
        )),
    }
}

fn number_of(event: &Value, key: &str) -> Result<u64, Refusal> {
    match &event[key] {
        Value::Null => Err(Refusal::missing(key)),
        value => value.as_u64().ok_or_else(|| {
            Refusal::invalid(
                key,
                &format!("Invalid type for '{key}': expected an integer."),
            )
        }),
    }
}

#[cfg(test)]
mod tests;
