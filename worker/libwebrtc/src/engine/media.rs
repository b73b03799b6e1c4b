//! Sound through a connection: packets written and heard, and what is known of the hop they take.

use std::{sync::Arc, time::Instant};

use str0m::{
    format::Codec,
    media::{Frequency, MediaData, MediaTime, Mid, Pt},
    stats::{MediaEgressStats, PeerStats},
};

use super::{
    connection::Connection,
    sender::Outgoing,
    transceivers::TransceiverShared,
    wire::{self, RtpHead},
};
use crate::{
    audio::{rate::HopReport, rtp::AudioPacket},
    media_stream_track::MediaStreamTrack,
    peer_connection::PeerConnectionState,
};

/// Packets above this level say "voice" in the level header; servers that rank speakers use the
/// level itself. −50 dBov lies between a quiet room and quiet speech.
const SPEECH_LEVEL: i8 = -50;

/// Memory that packets are copied to, in bytes: about twenty of speech.
const MEMORY: usize = 2_048;

impl Connection {
    /// What went to the wire; `None` when the section does not send.
    pub(crate) fn write_audio(
        &mut self,
        now: Instant,
        mid: Mid,
        packet: &Outgoing<'_>,
    ) -> Option<RtpHead> {
        if *self.status.connection.get() != PeerConnectionState::Connected {
            return None;
        }
        let opus = |params: &&str0m::format::PayloadParams| params.spec().codec == Codec::Opus;
        let writer = self.rtc.writer(mid)?;
        let pt = writer.payload_params().find(opus)?.pt();
        let queued = self.out.transmits.len();
        if !self.write(now, mid, pt, packet) {
            return None;
        }
        // str0m numbers the packet when it lets go of it, and makes it when it is told the time: told at
        // once, it is walked through one time less. What else follows is settled by whoever drives the
        // connection.
        self.on_time(now);
        self.drain_due(now);
        let sent = self.out.transmits[queued..].iter();
        let head = sent
            .filter_map(|transmit| wire::rtp_head(&transmit.contents))
            .find(|head| head.timestamp == packet.time as u32)?;
        self.stats.on_sent(mid, head, packet.payload.len());
        Some(head)
    }

    fn write(&mut self, now: Instant, mid: Mid, pt: Pt, packet: &Outgoing<'_>) -> bool {
        let Some(writer) = self.rtc.writer(mid) else {
            return false;
        };
        let time = MediaTime::new(packet.time, Frequency::FORTY_EIGHT_KHZ);
        let written = writer
            .start_of_talkspurt(packet.marker)
            .audio_level(packet.level, packet.level > SPEECH_LEVEL)
            .write(pt, now, time, packet.payload);
        if let Err(error) = &written {
            tracing::debug!(%error, "packet not written");
        }
        written.is_ok()
    }

    pub(super) fn on_media(&mut self, data: MediaData) {
        if data.params.spec().codec != Codec::Opus {
            return;
        }
        let of_section = |t: &&Arc<TransceiverShared>| t.str0m_mid() == Some(data.mid);
        let Some(transceiver) = self.transceivers.iter().find(of_section) else {
            return;
        };
        let MediaStreamTrack::Audio(track) = transceiver.remote_track() else {
            return;
        };
        let Some(remote) = track.inner.remote() else {
            return;
        };
        let mut payload = data.data;
        let received = payload.len();
        let opened = remote.open(&mut payload);
        let heard = &payload[..opened.unwrap_or(0)];
        // A copy, where others lie: str0m's own would need a handle made for it.
        if self.heard.capacity() < heard.len() {
            self.heard.reserve(MEMORY.max(heard.len()));
        }
        self.heard.extend_from_slice(heard);
        let packet = AudioPacket {
            sequence: **data.seq_range.start(),
            timestamp: data.time.numer() as u32,
            arrival: data.network_time,
            marker: data.audio_start_of_talk_spurt,
            audio_level: data.ext_vals.audio_level,
            payload: self.heard.split().freeze(),
        };
        // What str0m rebuilt from a copy was lost on the way all the same, or comes late and is counted
        // then. A copy shows by nothing but this: it has no extensions, and its sequence is not that of
        // the packet that came.
        let is_bare = packet.audio_level.is_none() && !packet.marker;
        let is_copy = is_bare
            && self
                .arrived
                .is_some_and(|arrived| arrived != packet.sequence as u16);
        if !is_copy {
            self.stats.on_packet(data.mid, &packet, received);
        }
        // What does not open is as good as lost, and concealed.
        if opened.is_some() {
            remote.on_packet(packet);
        }
    }

    pub(super) fn report_check(&self, now: Instant, stats: &PeerStats) {
        let pair = stats.selected_candidate_pair.as_ref();
        let Some(round_trip) = pair.and_then(|pair| pair.current_round_trip_time) else {
            return;
        };
        for sink in self.transceivers.iter().filter_map(|t| t.sink()) {
            sink.on_check(now, round_trip);
        }
    }

    pub(super) fn report_hop(&self, now: Instant, stats: &MediaEgressStats) {
        let report = HopReport {
            lost: stats.loss,
            // Without a new report the round trip is that of the last one.
            round_trip: stats.rtt.filter(|_| stats.loss.is_some()),
        };
        let of_section = |t: &&Arc<TransceiverShared>| t.str0m_mid() == Some(stats.mid);
        let transceiver = self.transceivers.iter().find(of_section);
        if let Some(sink) = transceiver.and_then(|transceiver| transceiver.sink()) {
            sink.on_report(now, report);
        }
    }
}
