//! Core: what people do: come and go, type, and take their turn to speak.

use std::time::Instant;

use crate::{
    Dialog, Greeting, Output,
    audience::Departure,
    floor::{Purpose, Request},
    input::Audience,
    model::{ItemId, NewItem, Order},
    note::Note,
    output::{Gate, Publish},
    speaker::ParticipantId,
    timers::Timer,
};

impl Dialog {
    pub(crate) fn on_audience(&mut self, now: Instant, change: Audience) {
        match change {
            Audience::Joined {
                participant, role, ..
            } => {
                if let Some(caller) = self.audience.join(participant, role) {
                    self.timers.stop(Timer::CallerGrace);
                    self.open_ear(caller);
                }
            }
            Audience::Left { participant } => self.on_left(now, participant),
        }
    }

    fn on_left(&mut self, now: Instant, participant: ParticipantId) {
        match self.audience.leave(&participant) {
            Departure::Unnoticed => {}
            Departure::Succeeded { caller } => {
                self.close_ear(participant);
                self.open_ear(caller);
            }
            Departure::NobodyLeft => {
                self.close_ear(participant);
                self.timers
                    .set(Timer::CallerGrace, now + self.config.caller_grace);
            }
        }
    }

    fn open_ear(&mut self, participant: ParticipantId) {
        self.heard_from_caller();
        if self.closing.is_none() {
            self.outputs.push_back(Output::Ear {
                participant,
                gate: Gate::Open,
            });
        }
    }

    pub(crate) fn close_ear(&mut self, participant: ParticipantId) {
        self.outputs.push_back(Output::Ear {
            participant,
            gate: Gate::Closed,
        });
    }

    /// A typed line is a turn of its own: it stops the agent and is answered.
    pub(crate) fn on_chat(&mut self, now: Instant, participant: &ParticipantId, text: String) {
        if !self.audience.is_person(participant) {
            return self.note_unexpected("chat of a stranger");
        }
        if self.closing.is_some() {
            return self.note_unexpected("chat while closing");
        }
        if text.trim().is_empty() {
            return;
        }
        self.heard_from_caller();
        self.yield_floor(now);
        self.drop_greeting();
        self.conversation.user_typed(&text);
        if self.link.is_up() {
            self.order(Order::Item(NewItem::UserText(text)));
        }
        self.floor.want(Request::reply(self.user.next_to_end()));
    }

    /// The model hears somebody speak. While the goodbye is said nobody is heard.
    pub(crate) fn on_speech_started(&mut self, now: Instant, item: &ItemId) {
        if self.closing.is_some() {
            return;
        }
        self.heard_from_caller();
        self.yield_floor(now);
        self.drop_greeting();
        self.timers.stop(Timer::TurnGrace);
        if self.user.start(now) {
            self.note(Note::TurnContinued);
        }
        self.remember_speaker(item);
    }

    pub(crate) fn on_committed(&mut self, now: Instant, item: &ItemId) {
        if self.closing.is_some() {
            return self.note(Note::TurnUnanswered);
        }
        if self.user.answer(now).is_some() {
            self.note(Note::TurnContinued);
        }
        self.remember_speaker(item);
        self.conversation.user_committed(item);
        let commit = self.user.commit(now, item.clone());
        self.note(Note::TurnCommitted {
            speech: commit.speech,
        });
        if self.link.creates_responses() {
            self.timers
                .set(Timer::TurnGrace, now + self.config.response_grace);
        } else {
            self.user.answer(now);
            self.floor.want(Request::reply(self.user.number()));
        }
    }

    /// The model created nothing for the turn.
    pub(crate) fn on_turn_overdue(&mut self, now: Instant) {
        if let Some(waited) = self.user.answer(now) {
            self.note(Note::TurnAsked { waited });
            self.floor.want(Request::reply(self.user.number()));
        }
    }

    pub(crate) fn on_user_transcript(&mut self, item: ItemId, text: String, is_final: bool) {
        self.conversation.user_said(&item, &text);
        let speaker = self.user.speaker(&item).or_else(|| self.audience.caller());
        let Some(participant) = speaker.cloned() else {
            return self.note_unexpected("words of nobody");
        };
        let segment = item.as_str().to_owned();
        self.publish(Publish::UserText {
            segment,
            participant,
            text,
            is_final,
        });
    }

    /// A segment that people saw grow must be closed, whatever it holds.
    pub(crate) fn on_user_transcript_failed(&mut self, item: ItemId) {
        let text = self.conversation.user_text(&item).to_owned();
        if !text.is_empty() {
            self.on_user_transcript(item, text, true);
        }
        self.note_unexpected("turn without transcript");
    }

    /// Who has spoken first needs no greeting.
    fn drop_greeting(&mut self) {
        self.floor.withdraw(Purpose::Greeting);
        self.greeting = Greeting::Over;
    }

    fn remember_speaker(&mut self, item: &ItemId) {
        if let Some(caller) = self.audience.caller() {
            self.user.set_speaker(item, caller);
        }
    }
}
