//! Adapter: what happens in a LiveKit room, as a closed list.
//!
//! Turns `livekit`'s events into [`RoomInput`]s. Most of them mean nothing to a session and become
//! nothing. It decides nothing: who is heard is the audience's business.

use std::time::Duration;

use dialog::{model::Picture, output::CloseReason, speaker::ParticipantId};
use livekit::{
    DisconnectReason, ParticipantKind,
    prelude::{
        AudioTrackFeature, Participant, RemoteParticipant, RemoteTrack, RemoteTrackPublication,
        RoomEvent, TrackKind, TrackSource,
    },
};

use super::{
    audience::{Kind, Person, TrackId},
    beginning::Recording,
    chat::Line,
    picture::Showing,
    publish::PublishError,
    pulse::Pulse,
    rejoin::GiveUp,
};
use crate::{
    media::{Pcm, tap::Tap},
    supervision::command::Command,
};

/// Marks a participant that publishes for another one.
const ON_BEHALF: &str = "lk.publish_on_behalf";

/// One thing that happened in the room.
#[derive(Debug)]
pub enum RoomInput {
    /// Somebody receives the agent's track.
    AgentHeard,
    /// What somebody said before we were there, or nothing, if it cannot be heard.
    Beginning {
        /// Who.
        participant: ParticipantId,
        /// Into which microphone.
        track: TrackId,
        /// What; it ends about when the microphone was first received.
        pcm: Pcm,
    },
    /// Somebody typed a line.
    Chat {
        /// Who.
        participant: ParticipantId,
        /// The line.
        text: String,
    },
    /// Somebody who may asks something of the agent.
    Command {
        /// Who.
        caller: ParticipantId,
        /// What.
        command: Command,
    },
    /// The link to the room is gone for good, for this reason.
    Gone(CloseReason),
    /// The room was lost and is not joined again.
    GivenUp(GiveUp),
    /// Somebody left.
    Left(ParticipantId),
    /// A microphone was published.
    Microphone {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        track: TrackId,
    },
    /// A microphone was taken away.
    MicrophoneGone {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        track: TrackId,
    },
    /// Somebody shows a picture.
    Picture {
        /// Who.
        participant: ParticipantId,
        /// The picture.
        picture: Picture,
    },
    /// The agent's track is published, or cannot be.
    Published(Result<TrackId, PublishError>),
    /// What flows.
    Pulse(Pulse),
    /// We are in the room again; who is there was told before.
    Rejoined {
        /// Joins it took.
        attempts: u32,
        /// How long we were in no room.
        away: Duration,
    },
    /// The room was lost for good, for that reason, and is being joined again. Everything that was
    /// received or sent in it is over.
    Rejoining(&'static str),
    /// The link to the room is back.
    Repaired,
    /// The link to the room broke and is being repaired.
    Repairing,
    /// Somebody is there, or what the server says about them changed.
    Seen(Person),
    /// A microphone is being received.
    Subscribed {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        track: TrackId,
        /// Its packets.
        tap: Tap,
        /// [`Self::Beginning`] follows.
        has_beginning: bool,
    },
    /// A microphone is no longer received.
    Unsubscribed {
        /// Whose.
        participant: ParticipantId,
        /// Which.
        track: TrackId,
    },
}

/// What one event of the room comes to.
pub(super) enum Meaning {
    /// These facts, in order.
    Facts(Vec<RoomInput>),
    /// Somebody began to type to us.
    Line(Line),
    /// Somebody began to send what they said before.
    Recording(Recording),
    /// Somebody began to send a picture.
    Showing(Showing),
    /// The room library has given up, for this reason; the room may live.
    Lost(&'static str),
    /// Nothing to us.
    Nothing,
}

/// Reads one event. `agent_track` is the id of the agent's own track, once it is published.
pub(super) fn read(event: RoomEvent) -> Meaning {
    match event {
        RoomEvent::Connected {
            participants_with_tracks,
        } => Meaning::Facts(
            participants_with_tracks
                .iter()
                .flat_map(already_there)
                .collect(),
        ),
        RoomEvent::ParticipantConnected(participant) => fact(RoomInput::Seen(person(&participant))),
        RoomEvent::ParticipantDisconnected(participant) => fact(RoomInput::Left(id(&participant))),
        RoomEvent::ParticipantPermissionChanged { participant, .. }
        | RoomEvent::ParticipantAttributesChanged { participant, .. }
        | RoomEvent::ParticipantNameChanged { participant, .. } => changed(&participant),
        RoomEvent::TrackPublished {
            publication,
            participant,
        } => microphone(&participant, &publication).map_or(Meaning::Nothing, fact),
        RoomEvent::TrackUnpublished {
            publication,
            participant,
        } if is_voice(&publication) => fact(RoomInput::MicrophoneGone {
            participant: id(&participant),
            track: track_id(&publication),
        }),
        RoomEvent::TrackSubscribed {
            track,
            publication,
            participant,
        } => subscribed(&participant, &publication, &track),
        RoomEvent::TrackUnsubscribed {
            publication,
            participant,
            ..
        } if is_voice(&publication) => fact(RoomInput::Unsubscribed {
            participant: id(&participant),
            track: track_id(&publication),
        }),
        RoomEvent::LocalTrackSubscribed { .. } => fact(RoomInput::AgentHeard),
        // The room library published it anew, under another id.
        RoomEvent::LocalTrackRepublished { publication, .. } => {
            let track = TrackId::new(publication.sid().as_str());
            fact(RoomInput::Published(Ok(track)))
        }
        RoomEvent::TextStreamOpened {
            reader,
            topic,
            participant_identity,
        } => Line::of_stream(
            &topic,
            &reader,
            ParticipantId::new(participant_identity.as_str()),
        )
        .map_or(Meaning::Nothing, Meaning::Line),
        RoomEvent::ByteStreamOpened {
            reader,
            topic,
            participant_identity,
        } => {
            let sender = ParticipantId::new(participant_identity.as_str());
            let recording = Recording::of_stream(&topic, &reader, sender.clone());
            let showing = || Showing::of_stream(&topic, &reader, sender);
            recording
                .map(Meaning::Recording)
                .or_else(|| showing().map(Meaning::Showing))
                .unwrap_or(Meaning::Nothing)
        }
        RoomEvent::ChatMessage {
            message,
            participant: Some(participant),
        } => Meaning::Line(Line::of_message(message.message, id(&participant))),
        RoomEvent::Reconnecting => fact(RoomInput::Repairing),
        RoomEvent::Reconnected => fact(RoomInput::Repaired),
        RoomEvent::Disconnected { reason } => match fate(reason) {
            Fate::End(reason) => fact(RoomInput::Gone(reason)),
            Fate::Rejoin => Meaning::Lost(reason.as_str_name()),
        },
        _ => Meaning::Nothing,
    }
}

fn fact(input: RoomInput) -> Meaning {
    Meaning::Facts(vec![input])
}

fn already_there(
    (participant, publications): &(RemoteParticipant, Vec<RemoteTrackPublication>),
) -> Vec<RoomInput> {
    let mut facts = vec![RoomInput::Seen(person(participant))];
    facts.extend(
        publications
            .iter()
            .filter_map(|published| microphone(participant, published)),
    );
    facts
}

fn changed(participant: &Participant) -> Meaning {
    match participant {
        Participant::Local(_) => Meaning::Nothing,
        Participant::Remote(participant) => fact(RoomInput::Seen(person(participant))),
    }
}

fn subscribed(
    participant: &RemoteParticipant,
    publication: &RemoteTrackPublication,
    track: &RemoteTrack,
) -> Meaning {
    let RemoteTrack::Audio(audio) = track else {
        return Meaning::Nothing;
    };
    if !is_voice(publication) {
        return Meaning::Nothing;
    }
    let Some(tap) = Tap::open(audio) else {
        tracing::warn!("a microphone cannot be listened to: it has no packets to tap");
        return Meaning::Nothing;
    };
    fact(RoomInput::Subscribed {
        participant: id(participant),
        track: track_id(publication),
        tap,
        has_beginning: publication
            .audio_features()
            .contains(&AudioTrackFeature::TfPreconnectBuffer),
    })
}

fn microphone(
    participant: &RemoteParticipant,
    publication: &RemoteTrackPublication,
) -> Option<RoomInput> {
    is_voice(publication).then(|| RoomInput::Microphone {
        participant: id(participant),
        track: track_id(publication),
    })
}

fn is_voice(publication: &RemoteTrackPublication) -> bool {
    publication.kind() == TrackKind::Audio && publication.source() == TrackSource::Microphone
}

fn id(participant: &RemoteParticipant) -> ParticipantId {
    ParticipantId::new(participant.identity().as_str())
}

fn track_id(publication: &RemoteTrackPublication) -> TrackId {
    TrackId::new(publication.sid().as_str())
}

fn person(participant: &RemoteParticipant) -> Person {
    Person {
        id: id(participant),
        kind: kind(participant.kind()),
        hidden: participant
            .permission()
            .is_some_and(|permission| permission.hidden),
        on_behalf: participant.attributes().contains_key(ON_BEHALF),
        name: participant.name(),
        metadata: participant.metadata(),
        attributes: participant.attributes().into_iter().collect(),
    }
}

fn kind(kind: ParticipantKind) -> Kind {
    match kind {
        ParticipantKind::Agent => Kind::Agent,
        ParticipantKind::Connector => Kind::Connector,
        ParticipantKind::Sip => Kind::Sip,
        ParticipantKind::Standard => Kind::Standard,
        _ => Kind::Machine,
    }
}

/// What our own end in a room means to the session.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// The session is over.
    End(CloseReason),
    /// Nobody wanted us to go: we come back.
    Rejoin,
}

/// The reasons a server or the room library gives for it, every one.
fn fate(reason: DisconnectReason) -> Fate {
    use DisconnectReason as Why;
    match reason {
        // Somebody wanted us to go.
        Why::DuplicateIdentity => Fate::End(CloseReason::Duplicate),
        Why::ParticipantRemoved => Fate::End(CloseReason::Removed),
        Why::RoomClosed | Why::RoomDeleted => Fate::End(CloseReason::RoomDeleted),
        // We went, or the reason is one of callers on the telephone.
        Why::ClientInitiated
        | Why::UserUnavailable
        | Why::UserRejected
        | Why::SipTrunkFailure
        | Why::AgentError => Fate::End(CloseReason::RoomLost),
        // The server went, lost us, or mistook us; or the library gave up.
        Why::ConnectionTimeout
        | Why::JoinFailure
        | Why::MediaFailure
        | Why::Migration
        | Why::ServerShutdown
        | Why::SignalClose
        | Why::StateMismatch
        | Why::UnknownReason => Fate::Rejoin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_the_protocol_means_to_come_back_or_to_end() {
        let ends = [
            "CLIENT_INITIATED",
            "DUPLICATE_IDENTITY",
            "PARTICIPANT_REMOVED",
            "ROOM_DELETED",
            "ROOM_CLOSED",
            "USER_UNAVAILABLE",
            "USER_REJECTED",
            "SIP_TRUNK_FAILURE",
            "AGENT_ERROR",
        ];
        let all: Vec<_> = (0..64)
            .filter_map(|number| DisconnectReason::try_from(number).ok())
            .collect();
        assert!(all.len() >= 17, "{all:?}");
        for reason in all {
            let comes_back = fate(reason) == Fate::Rejoin;
            let name = reason.as_str_name();
            assert_eq!(comes_back, !ends.contains(&name), "{name}");
        }
    }

    #[test]
    fn who_was_told_to_go_knows_why() {
        let cases = [
            (DisconnectReason::DuplicateIdentity, CloseReason::Duplicate),
            (DisconnectReason::ParticipantRemoved, CloseReason::Removed),
            (DisconnectReason::RoomDeleted, CloseReason::RoomDeleted),
        ];
        for (reason, expected) in cases {
            assert_eq!(fate(reason), Fate::End(expected));
        }
    }
}
