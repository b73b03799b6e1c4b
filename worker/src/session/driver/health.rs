//! What the watchdog is told every two seconds, and what is done when it finds something stuck.

use std::time::Instant;

use dialog::output::AgentState;

use super::{Driver, now};
use crate::{
    room::{pulse::Pulse, rejoin::GiveUp},
    session::{
        SessionError,
        watchdog::{Facts, Place, Remedy, Verdict, Watchdog},
    },
    telemetry::event,
};

/// What the watchdog is told, and what it is told about the room.
#[derive(Debug, Default)]
pub(in crate::session) struct Watch {
    dog: Watchdog,
    /// The link to the room is being repaired or made anew.
    pub(super) is_away: bool,
    /// What front ends were told last.
    pub(in crate::session) state: Option<AgentState>,
    pub(super) model_events: u64,
    /// The agent's track was published before.
    pub(super) was_published: bool,
    pub(super) given_up: Option<GiveUp>,
    /// Microphones were let go of; those that are wanted then are asked for with the next pulse.
    is_resubscribing: bool,
    /// When a termination counts that the room has not explained.
    pub(super) terminated: Option<Instant>,
}

impl Watch {
    /// Why the room is lost for good, in a word.
    pub(in crate::session) fn why_lost(&self) -> &'static str {
        self.given_up.map_or("disconnected", GiveUp::as_str)
    }
}

impl Driver<'_> {
    pub(super) fn on_pulse(&mut self, pulse: Pulse) {
        if std::mem::take(&mut self.watch.is_resubscribing) {
            self.subscribe_all(true);
        }
        self.audience.unmuted(&pulse.unmuted);
        // Wanted and not muted; whether they are received is what is to be found out.
        let wanted = self.audience.open_microphones();
        let unmuted = wanted.iter().filter(|(_, t)| pulse.unmuted.contains(t));
        let facts = Facts {
            is_away: self.watch.is_away,
            microphones: unmuted.count(),
            received: pulse.packets.map(|(received, _)| received),
            sent: pulse.packets.map(|(_, sent)| sent),
            is_speaking: self.watch.state == Some(AgentState::Speaking),
            is_thinking: self.watch.state == Some(AgentState::Thinking)
                && self.dialog.is_models_turn(),
            model_events: self.watch.model_events,
        };
        let verdict = self.watch.dog.look(now(), facts);
        match verdict {
            Verdict::Healthy => {}
            Verdict::Recovered(place) => {
                event::SessionUnstuck {
                    place: place.as_str(),
                }
                .emit();
            }
            Verdict::Stuck(place, remedy) => self.heal(place, remedy),
        }
        if verdict != Verdict::Healthy {
            let stuck = self.watch.dog.stuck();
            self.hands.room.health(stuck.map_or("ok", Place::as_str));
        }
    }

    fn heal(&mut self, place: Place, remedy: Remedy) {
        event::SessionStuck {
            place: place.as_str(),
            remedy: remedy.as_str(),
        }
        .emit();
        match remedy {
            Remedy::End => self.fail(SessionError::Stuck(place.as_str())),
            Remedy::Rejoin => {
                if self.hands.room.rejoin().is_err() {
                    self.fail(SessionError::Overrun("room"));
                }
            }
            Remedy::Resubscribe => self.resubscribe(),
        }
    }

    /// Off now and on with the next pulse: the room library gives no promise about the order of what
    /// is asked at once, and a server may take both together for no change.
    fn resubscribe(&mut self) {
        self.watch.is_resubscribing = true;
        self.subscribe_all(false);
    }

    fn subscribe_all(&mut self, wanted: bool) {
        for (participant, track) in self.audience.open_microphones() {
            let room = &self.hands.room;
            if room.subscription(participant, track, wanted).is_err() {
                return self.fail(SessionError::Overrun("room"));
            }
        }
    }
}
