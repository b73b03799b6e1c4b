//! Core: what people do: come and go, type, and take their turn to speak.

use std::time::{Duration, Instant};

use crate::{
    Dialog, Greeting, Output,
    floor::{Purpose, Request},
    input::Audience,
    model::{ItemId, NewItem, Order},
    note::Note,
    output::{Gate, Publish},
    speaker::ParticipantId,
    timers::Timer,
    user_turn::Commit,
};

/// The model notices speech about this much later than an ear: a round trip and its own detection.
const NOTICED_LATE: Duration = Duration::from_millis(250);

impl Dialog {
    pub(crate) fn on_audience(&mut self, now: Instant, change: Audience) {
        match change {
            Audience::Joined {
                participant,
                role,
                name,
            } => {
                if self.audience.join(participant, role, &name) {
                    self.timers.stop(Timer::CallerGrace);
                    self.settle_ears();
                }
            }
            Audience::Left { participant } => self.on_left(now, &participant),
        }
    }

    fn on_left(&mut self, now: Instant, participant: &ParticipantId) {
        self.on_silent(now, participant, now);
        self.voices.end(participant, now);
        self.on_release(now, participant);
        let nobody_is_left = self.audience.leave(participant);
        self.settle_ears();
        if nobody_is_left {
            self.timers
                .set(Timer::CallerGrace, now + self.config.caller_grace);
        }
    }

    /// Opens and closes ears until those are open that should be: none while the goodbye is said.
    pub(crate) fn settle_ears(&mut self) {
        let heard: Vec<ParticipantId> = match self.closing {
            Some(_) => Vec::new(),
            None => self.heard().cloned().collect(),
        };
        let before = std::mem::replace(&mut self.ears, heard.clone());
        for participant in before.iter().filter(|ear| !heard.contains(ear)) {
            self.order_ear(participant.clone(), Gate::Closed);
        }
        for participant in heard.into_iter().filter(|ear| !before.contains(ear)) {
            self.heard_from_caller();
            self.order_ear(participant, Gate::Open);
        }
    }

    /// Whose ears are to be open.
    fn heard(&self) -> impl Iterator<Item = &ParticipantId> {
        let is_open =
            |who: &&ParticipantId| !self.config.presses_to_talk || self.presses.is_open(who);
        self.audience.heard().filter(is_open)
    }

    fn order_ear(&mut self, participant: ParticipantId, gate: Gate) {
        self.outputs.push_back(Output::Ear { participant, gate });
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
        let is_meant = self.addressing.is_meant(&text);
        if is_meant {
            self.give_floor(now);
        }
        let text = if self.audience.is_shared() {
            format!("{} types: {text}", self.audience.label(participant))
        } else {
            text
        };
        self.conversation.user_typed(&text);
        if self.link.is_up() {
            self.order(Order::Item(NewItem::UserText(text)));
        }
        if is_meant {
            self.floor.want(Request::reply(self.user.next_to_end()));
        } else {
            self.weigh_words(now);
        }
    }

    /// The model hears somebody speak. While the goodbye is said nobody is heard.
    pub(crate) fn on_speech_started(&mut self, now: Instant, item: &ItemId) {
        if self.closing.is_some() {
            return;
        }
        self.heard_from_caller();
        if self.doubts_start(now, item) {
            return;
        }
        self.give_floor(now);
        self.heard_item = Some(item.clone());
        self.begin_turn(now);
    }

    /// Somebody's turn began, now or a while ago.
    pub(crate) fn begin_turn(&mut self, began: Instant) {
        self.timers.stop(Timer::TurnGrace);
        self.timers.stop(Timer::Hearing);
        self.link.take_notice();
        self.take_back_all();
        self.dismissed.expect_answer(false);
        if self.user.start(began) {
            self.note(Note::TurnContinued);
        }
    }

    pub(crate) fn on_speech_stopped(&mut self, now: Instant, item: &ItemId) {
        if !self.doubts_stop(now, item) {
            self.user.stop(now);
        }
    }

    pub(crate) fn on_committed(&mut self, now: Instant, item: &ItemId) {
        self.timers.stop(Timer::Commit);
        self.link.take_notice();
        if self.presses.is_any_down() {
            // They go on: one answer will serve both.
            self.conversation.user_committed(item);
            return self.note(Note::TurnContinued);
        }
        if self.closing.is_some() {
            return self.note(Note::TurnUnanswered);
        }
        if self.doubts_commit(now, item) {
            return;
        }
        if let Some(beside) = &mut self.beside {
            beside.commit_as(item);
        }
        if let Some(names) = self.commit_turn(now, item) {
            self.label(&format!("The last message was spoken by {names}."));
        }
    }

    /// A turn is one. Returns who spoke, when the model has to be told.
    pub(crate) fn commit_turn(&mut self, now: Instant, item: &ItemId) -> Option<String> {
        self.dismissed.expect_answer(false);
        if self.user.answer(now).is_some() {
            self.note(Note::TurnContinued);
        }
        self.conversation.user_committed(item);
        let Commit { speech, ended } = self.user.commit(now, item.clone());
        self.note(Note::TurnCommitted { speech });
        let began = ended.checked_sub(speech).unwrap_or(ended);
        let speakers = match self.link.take_heard_again(began, now) {
            Some(speaker) => vec![speaker],
            None => self.speakers_between(began, ended),
        };
        let names = self.name_speakers(item, &speakers);
        if self.model_creates() {
            self.timers
                .set(Timer::TurnGrace, now + self.config.response_grace);
        } else if self.is_selective() {
            self.weigh_turn(now, item);
        } else {
            self.user.answer(now);
            self.floor.want(Request::reply(self.user.number()));
        }
        names
    }

    /// The model created nothing for the turn, or noticed nothing of what stopped the agent.
    pub(crate) fn on_turn_overdue(&mut self, now: Instant) {
        if self.is_selective() {
            return;
        }
        if let Some(waited) = self.user.answer(now) {
            self.note(Note::TurnAsked { waited });
        } else if self.user.holds_floor() || self.responses.is_busy() {
            return;
        } else if self.voices.speaking().next().is_some() {
            let patience = self.config.interruption.words_wait;
            return self.timers.set(Timer::TurnGrace, now + patience);
        }
        self.floor.want(Request::reply(self.user.number()));
    }

    pub(crate) fn on_user_transcript(
        &mut self,
        now: Instant,
        item: ItemId,
        text: String,
        is_final: bool,
    ) {
        if self.doubts_words(now, &item, &text, is_final) {
            return;
        }
        if is_final {
            self.conversation.user_said_all(&item, &text);
        } else {
            self.conversation.user_said(&item, &text);
        }
        self.hear_name(now, &item, &text, is_final);
        self.publish_user_text(item, text, is_final);
    }

    pub(crate) fn publish_user_text(&mut self, item: ItemId, text: String, is_final: bool) {
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
    pub(crate) fn on_user_transcript_failed(&mut self, now: Instant, item: ItemId) {
        self.doubts_lack_of_words(now, &item);
        self.conversation.user_is_not_understood(&item);
        let text = self.conversation.user_text(&item).to_owned();
        self.hear_name(now, &item, &text, true);
        if !text.is_empty() {
            self.publish_user_text(item, text, true);
        }
        self.note_unexpected("turn without transcript");
    }

    /// The agent answers only what is meant for it, and there is a way to tell.
    pub(crate) fn is_selective(&self) -> bool {
        let can_tell = self.addressing.asks_model() || self.link.transcribes();
        self.addressing.is_selective() && can_tell
    }

    /// Who has spoken first needs no greeting.
    pub(crate) fn drop_greeting(&mut self) {
        self.floor.withdraw(Purpose::Greeting);
        self.greeting = Greeting::Over;
    }

    /// Remembers whose words an item holds. Returns their names, if several people are heard.
    fn name_speakers(&mut self, item: &ItemId, speakers: &[ParticipantId]) -> Option<String> {
        self.user.set_speaker(item, speakers.first()?);
        if !self.audience.is_shared() {
            return None;
        }
        let names = self.names(speakers);
        self.conversation.user_is(item, names.clone());
        Some(names)
    }

    /// Who spoke between these moments, by the ears; who spoke most comes first.
    pub(crate) fn speakers_between(&self, from: Instant, to: Instant) -> Vec<ParticipantId> {
        let from = from.checked_sub(NOTICED_LATE).unwrap_or(from);
        let mut speakers = self.voices.between(from, to);
        if speakers.is_empty() {
            let likely = self
                .voices
                .last_before(to)
                .or_else(|| self.audience.caller());
            speakers.extend(likely.cloned());
        }
        speakers
    }

    pub(crate) fn names(&self, speakers: &[ParticipantId]) -> String {
        let names: Vec<String> = speakers.iter().map(|s| self.audience.label(s)).collect();
        names.join(" and ")
    }

    pub(crate) fn label(&mut self, words: &str) {
        if self.link.is_up() {
            self.order(Order::Item(NewItem::SystemText(words.to_owned())));
        }
    }
}
