//! Core: the part of the rules that is about responses.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Out, Refusal, Rules, new_id};
use crate::{
    clips::duration_of,
    sim_model::{
        answer::{Part, Question, answer},
        items::{self, Item, Items},
        manner::Manner,
        response::{Content, Progress, Response, Step, encode},
        script::Fault,
        session::{self, effective},
        voice,
    },
};

/// Instructions of a response replace those of the session, so clients repeat these and add to
/// them: what was added.
fn own_part<'a>(all: &'a str, session: &Value) -> &'a str {
    let repeated = session["instructions"].as_str().unwrap_or_default();
    all.strip_prefix(repeated).unwrap_or(all)
}

/// Always the same nonsense, so that a failure can be seen again.
const NONSENSE_SEED: u64 = 23;
const NONSENSE_FRAMES: usize = 2_000;

impl Rules {
    pub(super) fn on_response_create(
        &mut self,
        now: Duration,
        event: &Value,
    ) -> Result<(), Refusal> {
        let none = session::empty();
        let options = event.get("response").unwrap_or(&none);
        session::check_response(options)?;
        if options["conversation"] != "none"
            && let Some(active) = self.active()
        {
            return Err(Refusal::already_active(&self.responses[active].id));
        }
        self.start_response(now, options);
        Ok(())
    }

    pub(super) fn on_response_cancel(&mut self, event: &Value) -> Result<(), Refusal> {
        let found = match event["response_id"].as_str() {
            Some(id) => self.responses.iter().position(|response| response.id == id),
            None => self.active(),
        };
        let at = found.ok_or_else(Refusal::nothing_to_cancel)?;
        self.cancel(at, "client_cancelled");
        Ok(())
    }

    /// The running response of the conversation.
    pub(super) fn active(&self) -> Option<usize> {
        self.responses
            .iter()
            .position(|response| response.in_conversation)
    }

    pub(super) fn start_response(&mut self, now: Duration, options: &Value) {
        let fault = self.armed.take().or_else(|| self.script.always.clone());
        if fault == Some(Fault::Expire) {
            return self.expire();
        }
        let parts = match self.manner {
            _ if matches!(fault, Some(Fault::Fail(_) | Fault::ContentFilter(0))) => Vec::new(),
            Manner::Turns => self.answer(options),
            Manner::Monologue => {
                let story = voice::story();
                self.encore = Some(now + duration_of(story.pcm.len()));
                vec![Part::Say(story)]
            }
            Manner::Silence => Vec::new(),
        };
        let object = self.response_object(options);
        let id = object["id"].as_str().unwrap_or_default().to_owned();
        let ids = |prefix: &str| new_id(&mut self.ids, prefix);
        let response = Response::plan(id, object, parts, &self.script, now, ids);
        self.fault = fault;
        let created = response.object("in_progress", Value::Null, Value::Null);
        self.responses.push(response);
        self.send(json!({"type": "response.created", "response": created}));
        self.send(json!({"type": "rate_limits.updated", "rate_limits": [
            {"name": "requests", "limit": 400, "remaining": 399, "reset_seconds": 0.15},
            {"name": "tokens", "limit": 200_000, "remaining": 195_000, "reset_seconds": 1.5}]}));
    }

    fn answer(&self, options: &Value) -> Vec<Part> {
        let session = self.session.object();
        let given = options["input"]
            .as_array()
            .map(|input| self.items_of(input));
        answer(&Question {
            instructions: options["instructions"]
                .as_str()
                .map(|all| own_part(all, session)),
            items: given.as_ref().unwrap_or(&self.items),
            tools: &effective(session, options, "tools"),
            tool_choice: &effective(session, options, "tool_choice"),
        })
    }

    fn items_of(&self, input: &[Value]) -> Items {
        let mut items = Items::default();
        for (at, item) in input.iter().enumerate() {
            let referenced = item["id"]
                .as_str()
                .and_then(|id| self.items.find(id))
                .cloned();
            let item = match item["type"].as_str() {
                Some("item_reference") => referenced,
                _ => items::from_client(item, format!("input_{at}")).ok(),
            };
            if let Some(item) = item {
                items.push(item);
            }
        }
        items
    }

    fn response_object(&mut self, options: &Value) -> Value {
        let id = self.new_id("resp");
        let beside = options["conversation"] == "none";
        let conversation = if beside {
            Value::Null
        } else {
            json!(self.conversation)
        };
        let session = self.session.object();
        json!({
            "object": "realtime.response", "id": id, "conversation_id": conversation,
            "output_modalities": effective(session, options, "output_modalities"),
            "max_output_tokens": effective(session, options, "max_output_tokens"),
            "audio": {"output": {"format": session["audio"]["output"]["format"],
                "voice": session["audio"]["output"]["voice"]}},
            "metadata": options.get("metadata").unwrap_or(&Value::Null),
        })
    }

    pub(super) fn advance_responses(&mut self, now: Duration) {
        let mut at = 0;
        while at < self.responses.len() {
            match self.responses[at].next(now) {
                None => at += 1,
                Some(Step::Finish) => self.finish(at),
                Some(step) => self.take_step(at, step),
            }
        }
    }

    fn take_step(&mut self, at: usize, step: Step) {
        match step {
            Step::Add(index) => self.add_item(at, index),
            Step::Words(index, to) => self.send_words(at, index, to),
            Step::Audio(index, range) => {
                self.send_audio(at, index, range);
                self.go_wrong(at);
            }
            Step::Body(index) => self.send_body(at, index),
            Step::End(index) => self.end_item(at, index, "completed"),
            Step::Finish => {}
        }
    }

    fn add_item(&mut self, at: usize, index: usize) {
        let response = &mut self.responses[at];
        response.items[index].progress = Progress::Added;
        let planned = &response.items[index];
        let (json, part, id) = (planned.json(), planned.part(false), response.id.clone());
        let in_conversation = response.in_conversation;
        let mut part_added = response.event("response.content_part.added", index);
        self.send(
            json!({"type": "response.output_item.added", "response_id": id,
            "output_index": index, "item": json}),
        );
        if in_conversation {
            let mut item = Item::new(json.clone());
            if part["type"] == "audio" {
                item.json["content"] = json!([{"type": "output_audio", "transcript": ""}]);
            }
            let previous = self.items.push(item);
            self.send(json!({"type": "conversation.item.added", "item": json,
                "previous_item_id": previous}));
        }
        if !part.is_null() {
            part_added["part"] = part;
            self.send(part_added);
        }
    }

    fn send_words(&mut self, at: usize, index: usize, to: usize) {
        let response = &mut self.responses[at];
        let mut event = response.event("response.output_audio_transcript.delta", index);
        let Content::Speech { speech, sent } = &mut response.items[index].content else {
            return;
        };
        if to > *sent {
            event["delta"] = json!(speech.transcript[*sent..to]);
            *sent = to;
            self.send(event);
        }
    }

    fn send_audio(&mut self, at: usize, index: usize, range: std::ops::Range<usize>) {
        let response = &mut self.responses[at];
        response.deltas += 1;
        let mut event = response.event("response.output_audio.delta", index);
        let Content::Speech { speech, .. } = &response.items[index].content else {
            return;
        };
        let pcm = &speech.pcm[range];
        event["delta"] = json!(encode(pcm));
        // Once cut, an item does not grow again. Nobody asks for a story of hours.
        if self.manner != Manner::Monologue
            && let Some(item) = self.items.find_mut(&response.items[index].id)
            && item.json["content"][0].get("transcript").is_some()
        {
            item.pcm.extend_from_slice(pcm);
        }
        self.spoke = true;
        self.send(event);
    }

    fn send_body(&mut self, at: usize, index: usize) {
        let response = &self.responses[at];
        match &response.items[index].content {
            Content::Request { .. } | Content::Speech { .. } => {}
            Content::Text(text) => {
                let mut delta = response.event("response.output_text.delta", index);
                delta["delta"] = json!(text);
                self.send(delta);
            }
            Content::Call {
                call_id, arguments, ..
            } => {
                let mut delta = response.event("response.function_call_arguments.delta", index);
                delta["call_id"] = json!(call_id);
                delta["delta"] = json!(arguments);
                self.send(delta);
            }
        }
    }

    fn end_item(&mut self, at: usize, index: usize, status: &str) {
        self.responses[at].items[index].progress = Progress::Done;
        let response = &self.responses[at];
        let planned = &response.items[index];
        let mut json = planned.json();
        if json["type"] != "mcp_approval_request" {
            json["status"] = json!(status);
        }
        let mut events = Vec::new();
        let mut add = |kind: &str, key: &str, value: Value| {
            let mut event = response.event(kind, index);
            event[key] = value;
            events.push(event);
        };
        match &planned.content {
            Content::Request { .. } => {}
            Content::Speech { speech, sent } => {
                add(
                    "response.output_audio.done",
                    "response_id",
                    json!(response.id),
                );
                let said = json!(speech.transcript[..*sent]);
                add("response.output_audio_transcript.done", "transcript", said);
                add("response.content_part.done", "part", planned.part(false));
            }
            Content::Text(text) => {
                add("response.output_text.done", "text", json!(text));
                add("response.content_part.done", "part", planned.part(false));
            }
            Content::Call {
                call_id,
                name,
                arguments,
            } => {
                add(
                    "response.function_call_arguments.done",
                    "arguments",
                    json!(arguments),
                );
                if let Some(event) = events.last_mut() {
                    event["call_id"] = json!(call_id);
                    event["name"] = json!(name);
                }
            }
        }
        events.push(
            json!({"type": "response.output_item.done", "response_id": response.id,
            "output_index": index, "item": json}),
        );
        let id = planned.id.clone();
        let is_kept = response.in_conversation && self.settle(&id, &json);
        for event in events {
            self.send(event);
        }
        if is_kept {
            self.send(json!({"type": "conversation.item.done", "item": json,
                "previous_item_id": null}));
        }
    }

    /// Writes the final state of an item into the conversation. False when it was deleted.
    fn settle(&mut self, id: &str, json: &Value) -> bool {
        let Some(item) = self.items.find_mut(id) else {
            return false;
        };
        let was_cut = item.json["content"][0]["type"] == "output_audio"
            && item.json["content"][0].get("transcript").is_none();
        let content = item.json["content"].clone();
        item.json = json.clone();
        if was_cut {
            item.json["content"] = content;
        }
        true
    }

    fn finish(&mut self, at: usize) {
        match self.fault.take() {
            Some(Fault::Fail(code)) => {
                let error = json!({"type": "server_error", "code": code,
                    "message": "The response could not be generated."});
                self.end(at, "failed", json!({"type": "failed", "error": error}));
            }
            Some(Fault::ContentFilter(0)) => self.filter(at),
            _ => self.end(at, "completed", Value::Null),
        }
    }

    fn filter(&mut self, at: usize) {
        let details = json!({"type": "incomplete", "reason": "content_filter"});
        self.end(at, "incomplete", details);
    }

    /// Ends a response before its time.
    pub(super) fn cancel(&mut self, at: usize, reason: &str) {
        self.end_items(at);
        self.end(
            at,
            "cancelled",
            json!({"type": "cancelled", "reason": reason}),
        );
    }

    fn end_items(&mut self, at: usize) {
        for index in 0..self.responses[at].items.len() {
            if self.responses[at].items[index].progress == Progress::Added {
                self.end_item(at, index, "incomplete");
            }
        }
    }

    fn end(&mut self, at: usize, status: &str, details: Value) {
        let usage = if status == "failed" {
            Value::Null
        } else {
            self.usage(at)
        };
        let response = self.responses.remove(at);
        let object = response.object(status, details, usage);
        self.send(json!({"type": "response.done", "response": object}));
    }

    /// Counts that grow as a conversation does: 10 tokens per second heard, 20 per second spoken,
    /// one per four letters, 85 per picture; what was there before, but for pictures, is cached in steps of 64.
    fn usage(&mut self, at: usize) -> Value {
        let seconds = |samples: usize| duration_of(samples).as_secs();
        let (mut text, mut audio, mut image) = (60, 0, 0);
        for item in self.items.iter() {
            let parts = item.json["content"].as_array().into_iter().flatten();
            image += 85 * parts.filter(|part| part["type"] == "input_image").count() as u64;
            text += item.text().len() as u64 / 4;
            audio += 10 * seconds(item.pcm.len());
        }
        let cached = self.input_before.min(text + audio) / 64 * 64;
        self.input_before = text + audio;
        let cached_text = cached.min(text);
        let cached_audio = cached - cached_text;
        let spoken: usize = self.responses[at]
            .items
            .iter()
            .map(|item| match &item.content {
                Content::Speech { speech, .. } => speech.pcm.len(),
                _ => 0,
            })
            .sum();
        let out_audio = 20 * seconds(spoken);
        let out_text = 12;
        json!({
            "total_tokens": text + audio + image + out_text + out_audio,
            "input_tokens": text + audio + image, "output_tokens": out_text + out_audio,
            "input_token_details": {"text_tokens": text, "audio_tokens": audio,
                "image_tokens": image, "cached_tokens": cached,
                "cached_tokens_details": {"text_tokens": cached_text,
                    "audio_tokens": cached_audio, "image_tokens": 0}},
            "output_token_details": {"text_tokens": out_text, "audio_tokens": out_audio},
        })
    }

    fn talk_nonsense(&mut self) {
        let frames = crate::malformed::of_a_model(NONSENSE_SEED, NONSENSE_FRAMES);
        self.out.extend(frames.into_iter().map(Out::Raw));
    }

    /// Carries out a fault that waits for this many deltas.
    fn go_wrong(&mut self, at: usize) {
        let deltas = self.responses[at].deltas;
        let is_due = match &self.fault {
            Some(
                Fault::DropLink(after)
                | Fault::Stall(after)
                | Fault::Nonsense(after)
                | Fault::ContentFilter(after),
            ) => deltas >= *after,
            _ => false,
        };
        if !is_due {
            return;
        }
        match self.fault.take() {
            Some(Fault::DropLink(_)) => self.out.push_back(Out::Drop),
            Some(Fault::Stall(_)) => self.out.push_back(Out::Stall),
            Some(Fault::Nonsense(_)) => self.talk_nonsense(),
            Some(Fault::ContentFilter(_)) => {
                self.end_items(at);
                self.filter(at);
            }
            _ => {}
        }
    }
}
