//! Adapter: what flows through the room, counted from its statistics.
//!
//! It judges nothing: whether that is enough is the watchdog's business.

use std::time::Duration;

use livekit::{
    prelude::{Room, TrackKind},
    webrtc::stats::RtcStats,
};

use super::audience::TrackId;

/// How long the statistics may take. Longer means: not known this time.
const DEADLINE: Duration = Duration::from_secs(1);

/// Packets so far, and tracks from which more could come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Sounding tracks of others that are not muted, received or not.
    pub unmuted: Vec<TrackId>,
    /// Packets received and sent since the room was joined; `None` = not known now.
    pub packets: Option<(u64, u64)>,
}

/// Counts.
pub(super) async fn take(room: &Room) -> Pulse {
    let packets = match tokio::time::timeout(DEADLINE, room.get_stats()).await {
        Ok(Ok(stats)) => Some(count(
            stats.publisher_stats.iter().chain(&stats.subscriber_stats),
        )),
        _ => None,
    };
    Pulse {
        unmuted: unmuted(room),
        packets,
    }
}

fn unmuted(room: &Room) -> Vec<TrackId> {
    let people = room.remote_participants().into_values();
    people
        .flat_map(|person| person.track_publications().into_values())
        .filter(|track| track.kind() == TrackKind::Audio)
        .filter(|track| !track.is_muted())
        .map(|track| TrackId::new(track.sid().as_str()))
        .collect()
}

fn count<'a>(stats: impl Iterator<Item = &'a RtcStats>) -> (u64, u64) {
    stats.fold((0, 0), |(received, sent), entry| match entry {
        RtcStats::InboundRtp(one) => (received + one.received.packets_received, sent),
        RtcStats::OutboundRtp(one) => (received, sent + one.sent.packets_sent),
        _ => (received, sent),
    })
}
