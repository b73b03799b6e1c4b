//! Core: what the model reports, and what each event means to a conversation.
//!
//! Everything depends on ids only: the provider promises little about the order of events. Late
//! events of a stopped response end here.

use std::time::Instant;

use crate::{
    Dialog, Output,
    floor::{Purpose, Request},
    model::{Event, ItemId, Order, ResponseId, ResponseStatus, Tag},
    note::Note,
    output::{RunBy, ToolCall},
    response::{Asked, Live, Standing},
    rotation::Rotation,
    timers::Timer,
};

/// The provider wants us to be slower.
const PACED: &str = "rate_limit_exceeded";
/// A request that failed so often is asked for again, and no more after that.
const MOST_FAILURES: u8 = 2;
/// The one refusal that means "not now": somebody else's response came first.
const BUSY: &str = "conversation_already_has_active_response";

impl Dialog {
    pub(crate) fn on_model(&mut self, now: Instant, event: Event) {
        if !self.link.is_up() {
            return self.note_unexpected("event without connection");
        }
        if self.rotation == Rotation::Moving {
            return self.note_unexpected("event of the connection before");
        }
        match event {
            Event::ApprovalRequested {
                response,
                call,
                name,
                arguments,
            } => {
                let run_by = RunBy::Provider;
                self.on_call(
                    now,
                    ToolCall {
                        call,
                        name,
                        arguments,
                        response,
                        run_by,
                    },
                );
            }
            Event::AudioDone { item, .. } => self.playhead.complete(&item),
            Event::AudioReceived {
                response,
                item,
                duration,
            } => {
                if self.counts(now, &response, &item) {
                    self.responses.set_spoke(&response);
                    if self.playhead.received(&response, &item, duration) {
                        self.on_first_sound(now, &item);
                    }
                }
            }
            Event::Committed { item } => self.on_committed(now, &item),
            Event::Consulted { tag, answer, usage } => {
                self.on_consulted(now, &tag, answer.as_deref(), usage);
            }
            Event::Error { code, tag } => self.on_error(now, code, tag),
            Event::FunctionCall {
                response,
                call,
                name,
                arguments,
                ..
            } => {
                let run_by = RunBy::Worker;
                self.on_call(
                    now,
                    ToolCall {
                        call,
                        name,
                        arguments,
                        response,
                        run_by,
                    },
                );
            }
            Event::McpCallDone { call, end } => {
                self.calls.end_there(&call);
                self.outputs.push_back(Output::McpCallDone { call, end });
            }
            Event::ResponseCreated { response, tag } => self.on_created(now, response, tag),
            Event::ResponseDone {
                response,
                status,
                usage,
            } => {
                let ended = Note::ResponseEnded {
                    response: response.clone(),
                    status: status.clone(),
                    usage,
                };
                self.note(ended);
                self.on_done(now, &response, status);
            }
            Event::SpeechStarted { item } => self.on_speech_started(now, &item),
            Event::SpeechStopped { item } => self.on_speech_stopped(now, &item),
            Event::TranscriptDelta {
                response,
                item,
                text,
            } => {
                if self.counts(now, &response, &item) {
                    self.playhead.text(&response, &item, &text);
                }
            }
            Event::UserTranscript {
                item,
                text,
                is_final,
            } => {
                self.on_user_transcript(now, item, text, is_final);
            }
            Event::UserTranscriptFailed { item } => self.on_user_transcript_failed(now, item),
        }
    }

    pub(crate) fn on_created(&mut self, now: Instant, response: ResponseId, tag: Option<Tag>) {
        if self.responses.standing(&response) != Standing::Unknown {
            return self.note_unexpected("response created twice");
        }
        let is_ours = tag.is_some();
        let asked = tag.and_then(|tag| self.responses.take_asked(&tag));
        self.make_room_for_answer(now);
        let is_given_up = is_ours && asked.is_none();
        let is_unwanted = asked.as_ref().is_some_and(|asked| asked.is_unwanted);
        let request = asked.map(|asked| asked.request);
        let is_greeting = request
            .as_ref()
            .is_some_and(|r| r.purpose == Purpose::Greeting);
        if is_greeting {
            self.greeted_by = Some(response.clone());
        }
        let is_disclosure = request
            .as_ref()
            .is_some_and(|r| r.purpose == Purpose::Disclosure);
        if is_disclosure {
            self.disclosure.begin(&response);
        }
        if let Some(forgotten) = self.responses.begin(now, response.clone(), request) {
            self.note_unexpected("response without end");
            self.playhead.response_over(&forgotten);
            self.cut_calls_short(&forgotten);
        }
        self.timers
            .set(Timer::Response, now + self.config.response_limit);
        let is_too_late = !is_ours && (self.closing.is_some() || self.is_silenced);
        let is_of_no_turn = !is_ours && self.dismissed.take_answer();
        let is_interrupted =
            self.user.is_speaking() && !((is_greeting || is_disclosure) && self.is_protected());
        if is_given_up || is_unwanted || is_too_late || is_of_no_turn || is_interrupted {
            return self.stop_unheard(now, response);
        }
        self.begin_sentence();
        if is_ours {
            self.timers.stop(Timer::TurnGrace);
            self.user.answer(now);
        } else if !self.doubts_answer(&response) {
            if let Some(beside) = &mut self.beside {
                beside.answer_by(&response);
            }
            self.own_answer(now);
        }
    }

    /// The model answers the user's turn by itself.
    pub(crate) fn own_answer(&mut self, now: Instant) {
        let turn = self.user.number();
        self.floor.served_by(turn);
        if let Some(live) = &mut self.responses.live {
            live.serves = turn;
        }
        self.timers.stop(Timer::TurnGrace);
        self.user.answer(now);
        if self.responses.is_answering() {
            self.conversation.settle();
        }
    }

    /// Whether speech of this response still counts; a response nobody announced is taken up.
    fn counts(&mut self, now: Instant, response: &ResponseId, item: &ItemId) -> bool {
        if self.responses.standing(response) == Standing::Unknown {
            self.on_created(now, response.clone(), None);
        }
        match &mut self.responses.live {
            Some(live) if live.id == *response => {
                live.last_sign = now;
                let is_first = !std::mem::replace(&mut live.has_content, true);
                if !live.is_cancelled {
                    self.timers
                        .set(Timer::Response, now + self.config.response_limit);
                }
                if is_first && live.is_answer() {
                    self.conversation.settle();
                }
                live.sees(item)
            }
            _ => self.responses.standing(response) == Standing::Over,
        }
    }

    pub(crate) fn on_done(&mut self, now: Instant, response: &ResponseId, status: ResponseStatus) {
        if self.doubts_done(response, &status) {
            return;
        }
        let Some(live) = self.responses.end(response) else {
            return self.note_unexpected("end of an unknown response");
        };
        self.timers.stop(Timer::Response);
        self.end_response(now, live, status);
    }

    /// A response whose end we do not wait for: it is billed, and nobody says how much.
    pub(crate) fn note_cut_off(&mut self, response: ResponseId) {
        self.note(Note::ResponseEnded {
            response,
            status: ResponseStatus::Incomplete,
            usage: None,
        });
    }

    fn end_response(&mut self, now: Instant, live: Live, status: ResponseStatus) {
        self.playhead.response_over(&live.id);
        let is_cut = live.is_cancelled || status != ResponseStatus::Completed;
        if is_cut {
            self.cut_calls_short(&live.id);
        } else {
            for call in self.calls.complete(now, &live.id) {
                self.outputs.push_back(Output::RunTool(call));
            }
        }
        if live.is_cancelled {
            return self.delete_unheard(live);
        }
        if live.has_content {
            self.on_said(live.request.as_ref());
        }
        self.show_silent(&live.id);
        self.end_sentence();
        self.carry_on_after_tools();
        if let Some((request, code)) = self.left_open(live, status) {
            self.ask_again(now, request, code);
        }
    }

    /// What is still wanted of a response that ended before it was whole, and why it did. Calls of it that
    /// run are followed by the rest anyway.
    fn left_open(&self, live: Live, status: ResponseStatus) -> Option<(Request, String)> {
        let code = match status {
            ResponseStatus::Failed { code } => code,
            // A limit or a filter cut it off. What people heard of it has to do.
            ResponseStatus::Incomplete if !live.has_words() => "incomplete".to_owned(),
            _ => return None,
        };
        let failures = live.request.as_ref().map_or(0, |request| request.failures);
        let request = if !live.has_content {
            let number = self.user.number();
            live.request.unwrap_or_else(|| Request::reply(number))
        } else if self.calls.runs_any_of(&live.id) {
            return None;
        } else {
            self.owed_by(live)?
        };
        Some((
            Request {
                failures,
                ..request
            },
            code,
        ))
    }

    /// Items that showed up after the response was stopped: nobody can have heard them.
    fn delete_unheard(&mut self, live: Live) {
        self.carry_on_after_tools();
        if self.link.truncates() {
            for item in live.into_late_items() {
                self.order(Order::Delete { item });
            }
        }
    }

    fn show_silent(&mut self, response: &ResponseId) {
        let mut shown = Vec::new();
        for (item, text) in self.playhead.take_silent(response, &mut shown) {
            self.conversation.agent_started(&item);
            self.conversation.agent_said(&item, &text);
        }
        self.publish_all(shown);
    }

    /// A response failed before it said anything: two more tries with a pause, then listening.
    fn ask_again(&mut self, now: Instant, mut request: Request, code: String) {
        if request.failures == MOST_FAILURES || self.closing.is_some() {
            return self.note(Note::TurnUnanswered);
        }
        let pause = if request.failures == 0 && code != PACED {
            self.config.retry_soon
        } else {
            self.config.retry_delay
        };
        request.failures += 1;
        self.note(Note::ResponseRetried { code });
        self.begin_gap();
        self.floor.want_again(request);
        self.timers.set(Timer::Backoff, now + pause);
    }

    fn on_error(&mut self, now: Instant, code: String, tag: Option<Tag>) {
        self.note(Note::OrderRefused { code: code.clone() });
        if tag
            .as_ref()
            .is_some_and(|tag| self.on_consultation_refused(now, tag))
        {
            return;
        }
        let is_busy = code == BUSY;
        let refused = match &tag {
            Some(tag) => self.responses.take_asked(tag),
            None if is_busy => self.responses.asked.take(),
            None => None,
        };
        let Some(Asked {
            request,
            is_unwanted,
            ..
        }) = refused
        else {
            return;
        };
        if self.responses.live.is_none() {
            self.timers.stop(Timer::Response);
        }
        match () {
            () if is_unwanted => {}
            () if is_busy && self.responses.live.is_some() => self.wait_for_the_other(request),
            () => self.ask_again(now, request, code),
        }
    }

    /// The active response may already be the answer; if not, ours follows when it is done.
    fn wait_for_the_other(&mut self, request: Request) {
        let live = self.responses.live.as_ref();
        let own = live.filter(|live| live.request.is_none());
        let served = own.map(|live| live.serves);
        if self.closing.is_some() && request.purpose != Purpose::Goodbye {
            return;
        }
        self.floor.want_again(request);
        // A turn that ended after it had begun it knows nothing of.
        if let Some(turn) = served {
            self.floor.served_by(turn);
        }
    }

    pub(crate) fn on_response_overdue(&mut self, now: Instant) {
        if let Some(asked) = self.responses.asked.take() {
            self.note(Note::ResponseLost {
                waited: now.saturating_duration_since(asked.at),
            });
            if !asked.is_unwanted {
                self.ask_again(now, asked.request, "timeout".to_owned());
            }
            return;
        }
        let Some(live) = &self.responses.live else {
            return;
        };
        let (id, was_cancelled) = (live.id.clone(), live.is_cancelled);
        let waited = now.saturating_duration_since(live.last_sign);
        self.note(Note::ResponseLost { waited });
        if !was_cancelled && self.link.cancels() {
            self.order(Order::Cancel {
                response: Some(id.clone()),
            });
        }
        if let Some(live) = self.responses.give_up(&id) {
            let code = "timeout".to_owned();
            self.end_response(now, live, ResponseStatus::Failed { code });
        }
    }
}
