//! Core: the link to the model comes, goes and comes back.
//!
//! What was received goes on playing; everything that only the lost connection knew is forgotten.
//! A new connection is told the conversation as people experienced it, and is asked at most one
//! question: the one that was open.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    Dialog, Greeting,
    conversation::LOST,
    floor::{Purpose, Request},
    input::ModelLink,
    model::{Capabilities, ItemId, NewItem, Order},
    note::Note,
    output::CloseReason,
    response::{Asked, Live},
    rotation::Rotation,
    speaker::ParticipantId,
    timers::Timer,
};

/// The model must have noticed by then what it hears again: a round trip, its own detection, and the time
/// that a long sentence takes to be written.
const HEARING: Duration = Duration::from_millis(1_500);

/// The connection, as far as the conversation cares.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// `None` = there is no connection.
    up: Option<Capabilities>,
    /// Since when a connection that once was there is gone; `None` = it never was, or it is back.
    lost: Option<Instant>,
    /// The model was told to create responses by itself.
    creates_now: bool,
    /// Turns that a lost connection left open, without words: the next one hears them again. Until it
    /// notices somebody they are kept: it may be lost, too.
    unheard: Vec<ItemId>,
    /// Whose turns they were, in order, until they are turns again; `None` = nobody knows.
    heard_again: VecDeque<Option<ParticipantId>>,
    /// A turn that begins later is a new one.
    heard_again_until: Option<Instant>,
}

impl Link {
    pub(crate) fn is_up(&self) -> bool {
        self.up.is_some()
    }

    pub(crate) fn replace(&mut self, capabilities: Capabilities) {
        self.up = Some(capabilities);
    }

    /// The model noticed what it heard again, or did not.
    pub(crate) fn take_notice(&mut self) {
        self.unheard.clear();
    }

    /// Somebody's turn is committed. Whose it was, if it is one that is heard again: the ears know only who
    /// speaks now.
    pub(crate) fn take_heard_again(
        &mut self,
        began: Instant,
        now: Instant,
    ) -> Option<ParticipantId> {
        if self.heard_again_until.is_none_or(|until| until < began) {
            self.heard_again.clear();
        }
        let speaker = self.heard_again.pop_front()?;
        self.heard_again_until = Some(now + HEARING);
        speaker
    }

    /// What comes next is said now.
    pub(crate) fn forget_heard_again(&mut self) {
        self.heard_again.clear();
    }

    pub(crate) fn cancels(&self) -> bool {
        self.up.as_ref().is_some_and(|can| can.cancels)
    }

    pub(crate) fn transcribes(&self) -> bool {
        self.up.as_ref().is_some_and(|can| can.transcribes)
    }

    pub(crate) fn truncates(&self) -> bool {
        self.up.as_ref().is_some_and(|can| can.truncates)
    }

    pub(crate) fn creates_responses(&self) -> bool {
        self.up.as_ref().is_some_and(|can| can.creates_responses)
    }
}

impl Dialog {
    pub(crate) fn on_model_link(&mut self, now: Instant, change: ModelLink) {
        match change {
            ModelLink::Down => self.on_link_down(now),
            ModelLink::Exhausted { reason } => {
                self.end_without_model(now, CloseReason::ModelUnavailable { reason });
            }
            ModelLink::Rotated(capabilities) => self.on_rotated(capabilities),
            ModelLink::Spare => self.on_spare(),
            ModelLink::Up(capabilities) => self.on_link_up(now, capabilities),
        }
    }

    fn on_link_up(&mut self, now: Instant, capabilities: Capabilities) {
        if self.link.is_up() {
            self.note_unexpected("second connection");
            self.on_link_down(now);
        }
        self.link.up = Some(capabilities);
        self.end_waiting();
        // The first connection creates responses from the start, a later one only when told to.
        self.link.creates_now = self.link.lost.is_none() && self.link.creates_responses();
        self.update_anew();
        if self.presses.is_any_down() {
            self.begin_turn(now);
        }
        let Some(lost) = self.link.lost.take() else {
            if !self.conversation.is_empty() {
                let items = self.conversation.so_far();
                self.tell(items);
            }
            self.commit_what_waits(now);
            return;
        };
        let items = if self.conversation.is_empty() {
            0
        } else {
            let items = self.conversation.replay();
            self.tell(items)
        };
        self.note(Note::Replayed {
            items,
            away: now.saturating_duration_since(lost),
        });
        self.hear_again(now);
        self.ask_next(now);
        self.begin_turns();
        self.commit_what_waits(now);
    }

    /// What people said in turns that nobody knows in words is told as sound. It becomes turns once
    /// more, and is answered like any other.
    fn hear_again(&mut self, now: Instant) {
        let items = self.link.unheard.clone();
        if items.is_empty() {
            return;
        }
        self.note(Note::HeardAgain { turns: items.len() });
        let speakers = items.iter().map(|item| self.user.speaker(item).cloned());
        self.link.heard_again = speakers.collect();
        self.link.heard_again_until = Some(now + HEARING);
        self.order(Order::HearAgain(items));
        if self.config.presses_to_talk {
            return self.presses.commit_again();
        }
        self.timers.set(Timer::Hearing, now + HEARING);
    }

    /// Something has to be heard again that nobody answers before.
    pub(crate) fn owes_hearing(&self) -> bool {
        !self.link.unheard.is_empty()
    }

    /// The model was told something again, and noticed nobody.
    pub(crate) fn on_overheard(&mut self) {
        self.link.take_notice();
        if self.is_silenced || self.closing.is_some() || self.is_selective() {
            return self.note(Note::TurnUnanswered);
        }
        let lost = NewItem::SystemText(LOST.to_owned());
        self.order(Order::Item(lost));
        self.floor.want(Request::reply(self.user.number()));
    }

    /// Ends what a fresh connection is told. Said in any case: what was kept of the caller's sound
    /// waits for it.
    pub(crate) fn begin_turns(&mut self) {
        self.link.creates_now = !self.model_creates();
        self.control_turns();
    }

    /// The model creates responses by itself for one person; among several we say who spoke first. Nothing
    /// it says of its own accord comes before the disclosure.
    pub(crate) fn model_creates(&self) -> bool {
        self.link.creates_responses()
            && self.closing.is_none()
            && !self.is_silenced
            && !self.is_selective()
            && !self.disclosure.is_due()
            && !self.audience.is_shared()
    }

    /// Tells the model who creates responses, when that changed.
    pub(crate) fn control_turns(&mut self) {
        let creates_responses = self.model_creates();
        if self.is_finished {
            return;
        }
        if self.link.creates_responses() && self.link.creates_now != creates_responses {
            self.link.creates_now = creates_responses;
            self.order(Order::TurnControl { creates_responses });
        }
    }

    /// A connection begins with the instructions of its settings.
    pub(crate) fn update_anew(&mut self) {
        if let Some(instructions) = self.instructions.clone() {
            self.order(Order::Instruct(instructions));
        }
        if let Some(tools) = self.tools.clone() {
            self.order(Order::Equip(tools));
        }
    }

    pub(crate) fn tell(&mut self, items: Vec<NewItem>) -> usize {
        let count = items.len();
        for item in items {
            self.order(Order::Item(item));
        }
        count
    }

    fn on_link_down(&mut self, now: Instant) {
        if self.link.up.take().is_none() {
            return;
        }
        self.link.lost = Some(now);
        self.begin_gap();
        if self.timers.is_set(Timer::Commit) {
            self.presses.commit_again();
        }
        self.confirm_for_want_of_words(now);
        self.dismissed.disconnect();
        self.beside = None;
        self.rotation = Rotation::None;
        for timer in [
            Timer::Backoff,
            Timer::Commit,
            Timer::Hearing,
            Timer::Name,
            Timer::Response,
            Timer::Rotation,
            Timer::TurnGrace,
            Timer::Verdict,
        ] {
            self.timers.stop(timer);
        }
        self.keep_open_question();
        self.remember_what_plays();
        self.playhead.disconnect();
        self.end_sentence();
        self.disconnect_calls();
        let playhead = &self.playhead;
        self.conversation.disconnect(|item| playhead.holds(item));
    }

    /// Whatever the lost connection still owed becomes one wish for the next one.
    fn keep_open_question(&mut self) {
        let (asked, live) = self.responses.disconnect();
        if let Some(live) = &live {
            self.note_cut_off(live.id.clone());
        }
        let owed_by_live = live.and_then(|live| self.owed_by(live));
        let owed = asked
            .filter(|asked| !asked.is_unwanted)
            .map(|Asked { request, .. }| request);
        for request in owed.into_iter().chain(owed_by_live) {
            self.floor.want_again(request);
        }
        // What is no item yet the next connection is told again, as sound.
        let left_open = self.user.disconnect();
        let is_open = matches!(left_open, Some(Some(_)));
        if left_open == Some(None) {
            self.keep_waiting();
        }
        let is_in_doubt = self.addressing.disconnect();
        for item in self.conversation.take_unheard() {
            if !self.link.unheard.contains(&item) {
                self.link.unheard.push(item);
            }
        }
        if !self.link.unheard.is_empty() {
            // The answer to what is heard again serves all that is open, unless nobody may want one.
            if !self.addressing.is_selective() {
                self.floor.withdraw(Purpose::Reply);
            }
            self.note(Note::TurnContinued);
        } else if is_open && is_in_doubt {
            self.note(Note::TurnUnanswered);
        } else if is_open {
            self.floor.want(Request::reply(self.user.number()));
        }
    }

    /// What a response still owes that will not go on.
    pub(crate) fn owed_by(&self, live: Live) -> Option<Request> {
        let number = self.user.number();
        let request = live.request.unwrap_or_else(|| Request::reply(number));
        let is_greeting = request.purpose == Purpose::Greeting;
        let is_notice = request.purpose == Purpose::Working;
        let is_prompt = request.purpose == Purpose::Prompt;
        // Whether that has to be said again shows when it is silent.
        let is_disclosure = request.purpose == Purpose::Disclosure;
        match () {
            () if live.is_cancelled || is_disclosure || is_notice => None,
            () if is_greeting && self.greeting == Greeting::Over => None,
            () if is_prompt && live.has_content => None,
            // Half an answer is followed by its other half, not by the first half again.
            () if live.has_content => Some(Request::reply(number)),
            () => Some(request),
        }
    }

    fn remember_what_plays(&mut self) {
        for (item, text) in self.playhead.queued() {
            self.conversation.agent_started(item);
            self.conversation.agent_said(item, text);
        }
    }
}
