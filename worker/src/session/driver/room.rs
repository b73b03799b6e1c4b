//! What the room tells a session.

use dialog::{Input, output::CloseReason, speaker::ParticipantId};

use super::{Driver, SessionError, now};
use crate::{
    room::{audience::TrackId, events::RoomInput, rejoin::GiveUp},
    telemetry::event,
};

impl Driver<'_> {
    pub(super) fn on_room(&mut self, input: Option<RoomInput>) {
        let Some(input) = input else {
            return self.close(CloseReason::RoomLost);
        };
        match input {
            RoomInput::AgentHeard => self.tell(Input::RoomReady),
            RoomInput::Beginning {
                participant,
                track,
                pcm,
            } => {
                if self.speaks_into(&participant, &track) {
                    self.hands.ingress.begin(participant, pcm);
                }
            }
            RoomInput::Chat { participant, text } => {
                #[cfg(debug_assertions)]
                super::rehearse_a_bug();
                if self.audience.hears(&participant) {
                    self.talk.hear_person(&participant, &text);
                    if self.talk.is_caller(&participant) {
                        self.hands.tools.caller_spoke(&text);
                    }
                    self.tell(Input::Chat { participant, text });
                }
            }
            RoomInput::Command { caller, command } => self.on_command(caller, command),
            RoomInput::GivenUp(why) => self.on_given_up(why),
            RoomInput::Gone(reason) => self.close(reason),
            RoomInput::Left(participant) => {
                self.audience.left(&participant);
                self.deafen(&participant);
            }
            RoomInput::Microphone { participant, track } => {
                self.audience.microphone(&participant, track);
            }
            RoomInput::MicrophoneGone { participant, track } => {
                if let Some(begun) = &mut self.begun {
                    begun.remove(&track);
                }
                self.audience.microphone_gone(&participant, &track);
                self.deafen_track(&participant, &track);
            }
            RoomInput::Picture {
                participant,
                picture,
            } => {
                if self.audience.hears(&participant) {
                    self.tell(Input::Picture {
                        participant,
                        picture,
                    });
                }
            }
            RoomInput::Published(Ok(track)) => self.on_published(track),
            RoomInput::Published(Err(error)) => {
                self.fail(SessionError::Publish(error.to_string()));
            }
            RoomInput::Pulse(pulse) => self.on_pulse(pulse),
            RoomInput::Rejoined { attempts, away } => {
                event::RoomRejoined { attempts, away }.emit();
                self.on_back();
            }
            RoomInput::Rejoining(why) => self.on_rejoining(why),
            RoomInput::Repaired => {
                event::RoomLinkRestored.emit();
                self.on_back();
            }
            RoomInput::Repairing => {
                event::RoomLinkLost.emit();
                self.on_away();
                self.audience.repairing();
            }
            RoomInput::Seen(person) => {
                self.introduce(&person);
                self.audience.seen(person);
            }
            RoomInput::Subscribed {
                participant,
                track,
                tap,
                has_beginning,
            } => {
                if self.speaks_into(&participant, &track) {
                    let begun = self.begun.as_mut().filter(|_| has_beginning);
                    let has_beginning = begun.is_some_and(|begun| begun.insert(track.clone()));
                    let ingress = &self.hands.ingress;
                    ingress.listen(participant.clone(), tap, has_beginning);
                    self.ears.insert(participant, track);
                }
            }
            RoomInput::Unsubscribed { participant, track } => {
                self.deafen_track(&participant, &track);
            }
        }
    }

    /// The room library may announce a track that was let go of meanwhile; nothing comes of it.
    fn speaks_into(&self, participant: &ParticipantId, track: &TrackId) -> bool {
        let microphone = self.audience.microphone_of(participant);
        self.audience.is_open(participant) && microphone == Some(track)
    }

    fn on_published(&mut self, track: TrackId) {
        if !std::mem::replace(&mut self.watch.was_published, true) {
            event::SessionJoined {
                took: now() - self.assigned,
            }
            .emit();
        }
        self.hands.room.agent_track(track);
    }

    fn on_rejoining(&mut self, why: &'static str) {
        event::RoomRejoining { why }.emit();
        self.on_away();
        for participant in std::mem::take(&mut self.ears).into_keys() {
            self.hands.ingress.stop(participant);
        }
        self.audience.rejoining();
    }

    /// A termination that came just before may be for the same reason.
    pub(super) fn on_away(&mut self) {
        self.watch.is_away = true;
        self.tell(Input::RoomAway);
        if self.watch.terminated.take().is_some() {
            self.ask_whether_wanted();
        }
    }

    pub(super) fn on_back(&mut self) {
        self.watch.is_away = false;
        self.audience.repaired();
        self.tell(Input::RoomBack);
    }

    pub(super) fn ask_whether_wanted(&mut self) {
        tracing::info!("a termination while the room is away is left to the server to confirm");
        if self.hands.room.called_off().is_err() {
            self.fail(SessionError::Overrun("room"));
        }
    }

    fn on_given_up(&mut self, why: GiveUp) {
        event::RoomGivenUp { why: why.as_str() }.emit();
        self.watch.given_up = Some(why);
        self.close(match why {
            GiveUp::Dismissed => CloseReason::Terminated,
            GiveUp::RoomGone => CloseReason::RoomDeleted,
            GiveUp::TokenRefused | GiveUp::TooLong => CloseReason::RoomLost,
        });
    }

    fn deafen_track(&mut self, participant: &ParticipantId, track: &TrackId) {
        if self.ears.get(participant) == Some(track) {
            self.deafen(participant);
        }
    }

    fn deafen(&mut self, participant: &ParticipantId) {
        if self.ears.remove(participant).is_some() {
            self.hands.ingress.stop(participant.clone());
        }
    }
}
