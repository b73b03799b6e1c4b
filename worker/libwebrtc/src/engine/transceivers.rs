//! Transceivers: sender and receiver of one section, shared by façade and connection.
//!
//! The lock inside is a leaf: nothing else is locked while it is held, so `Debug` and the getters
//! never wait for the network.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use str0m::media::{Direction, Mid};

use super::{
    capabilities,
    cryptor::Cryptor,
    link::Link,
    sender::SendSink,
    stats,
    track::{AudioTrack, VideoTrack},
};
use crate::{
    MediaType, RtcError,
    audio_track::RtcAudioTrack,
    media_stream_track::MediaStreamTrack,
    native::create_random_uuid,
    rtp_parameters::{
        DegradationPreference, RtcpParameters, RtpCodecCapability, RtpEncodingParameters,
        RtpParameters,
    },
    rtp_transceiver::{RtpTransceiverDirection, RtpTransceiverInit},
    stats::RtcStats,
    video_track::RtcVideoTrack,
};

/// One transceiver.
pub(crate) struct TransceiverShared {
    kind: MediaType,
    link: Weak<Link>,
    state: Mutex<State>,
}

struct State {
    /// Set with the description that carries the section; taken back by a rollback.
    mid: Option<Mid>,
    direction: RtpTransceiverDirection,
    current: Option<RtpTransceiverDirection>,
    local_track: Option<MediaStreamTrack>,
    /// Sends the local track, when that is an audio track.
    sink: Option<Arc<SendSink>>,
    /// Stream the local track is announced in.
    stream_id: Option<String>,
    encodings: Vec<RtpEncodingParameters>,
    degradation: Option<DegradationPreference>,
    remote_track: MediaStreamTrack,
    remote_streams: Vec<String>,
    /// Seals what the sender sends, whatever track that is.
    cryptor: Option<Arc<Cryptor>>,
}

impl TransceiverShared {
    pub(crate) fn new(kind: MediaType, init: RtpTransceiverInit, link: Weak<Link>) -> Arc<Self> {
        let mut encodings = init.send_encodings;
        if encodings.is_empty() {
            encodings.push(RtpEncodingParameters::default());
        }
        let state = State {
            mid: None,
            direction: init.direction,
            current: None,
            local_track: None,
            sink: None,
            stream_id: init.stream_ids.into_iter().next(),
            encodings,
            degradation: None,
            remote_track: remote_track(kind, create_random_uuid()),
            remote_streams: Vec::new(),
            cryptor: None,
        };
        Arc::new(Self {
            kind,
            link,
            state: Mutex::new(state),
        })
    }

    pub(crate) fn kind(&self) -> MediaType {
        self.kind
    }

    // --- what the façade asks

    pub(crate) fn mid(&self) -> Option<String> {
        self.state.lock().mid.map(|mid| mid.to_string())
    }

    pub(crate) fn direction(&self) -> RtpTransceiverDirection {
        self.state.lock().direction
    }

    pub(crate) fn current_direction(&self) -> Option<RtpTransceiverDirection> {
        self.state.lock().current
    }

    pub(crate) fn local_track(&self) -> Option<MediaStreamTrack> {
        self.state.lock().local_track.clone()
    }

    pub(crate) fn remote_track(&self) -> MediaStreamTrack {
        self.state.lock().remote_track.clone()
    }

    pub(crate) fn remote_stream_ids(&self) -> Vec<String> {
        self.state.lock().remote_streams.clone()
    }

    /// Replaces the sent track; `None` stops sending. Needs no negotiation.
    pub(crate) fn set_local_track(&self, track: Option<MediaStreamTrack>) -> Result<(), RtcError> {
        let sink = match &track {
            None => None,
            Some(MediaStreamTrack::Video(_)) => return Err(video_refused()),
            Some(MediaStreamTrack::Audio(_)) if self.kind != MediaType::Audio => {
                return Err(RtcError::invalid_state(
                    "an audio track cannot go into a video section",
                ));
            }
            Some(MediaStreamTrack::Audio(track)) => Some(self.new_sink(track)),
        };
        let mut state = self.state.lock();
        state.local_track = track;
        let old = std::mem::replace(&mut state.sink, sink.clone());
        if let Some(sink) = &sink {
            sink.set_cryptor(state.cryptor.clone());
        }
        drop(state);
        if let Some(old) = old {
            old.detach();
        }
        if let Some(sink) = sink {
            sink.attach();
            self.route_sink();
        }
        Ok(())
    }

    fn new_sink(&self, track: &RtcAudioTrack) -> Arc<SendSink> {
        let bitrate = self
            .state
            .lock()
            .encodings
            .first()
            .and_then(|first| first.max_bitrate);
        SendSink::new(track.inner.clone(), bitrate, self.link.clone())
    }

    /// Seals what is sent from now on.
    pub(crate) fn set_cryptor(&self, cryptor: Arc<Cryptor>) {
        let mut state = self.state.lock();
        let old = state.cryptor.replace(cryptor.clone());
        if let Some(sink) = &state.sink {
            sink.set_cryptor(Some(cryptor));
        }
        drop(state);
        drop(old);
    }

    pub(crate) fn sender_parameters(&self) -> RtpParameters {
        let state = self.state.lock();
        let cname = state
            .local_track
            .as_ref()
            .map(MediaStreamTrack::id)
            .unwrap_or_default();
        RtpParameters {
            codecs: self.codecs(),
            header_extensions: Vec::new(),
            encodings: state.encodings.clone(),
            rtcp: RtcpParameters {
                cname,
                reduced_size: true,
            },
            degradation_preference: state.degradation,
        }
    }

    pub(crate) fn set_sender_parameters(&self, parameters: RtpParameters) -> Result<(), RtcError> {
        let mut state = self.state.lock();
        if parameters.encodings.len() != state.encodings.len() {
            return Err(RtcError::invalid_state(
                "the number of encodings cannot change",
            ));
        }
        state.degradation = parameters.degradation_preference;
        if let (Some(sink), Some(first)) = (&state.sink, parameters.encodings.first()) {
            sink.set_encoding(first.active, first.max_bitrate);
        }
        state.encodings = parameters.encodings;
        Ok(())
    }

    pub(crate) fn receiver_parameters(&self) -> RtpParameters {
        RtpParameters {
            codecs: self.codecs(),
            ..RtpParameters::default()
        }
    }

    fn codecs(&self) -> Vec<crate::rtp_parameters::RtpCodecParameters> {
        match self.kind {
            MediaType::Audio => capabilities::audio_codecs(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn set_codec_preferences(
        &self,
        _codecs: &[RtpCodecCapability],
    ) -> Result<(), RtcError> {
        match self.kind {
            MediaType::Video => Err(video_refused()),
            _ => Ok(()),
        }
    }

    /// Both halves end; the next offer says so.
    pub(crate) fn stop(&self) {
        self.state.lock().direction = RtpTransceiverDirection::Stopped;
        // Taking the track away cannot fail.
        let _ = self.set_local_track(None);
        self.end_remote();
    }

    pub(crate) fn sender_stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        self.stats(stats::Side::Sender)
    }

    pub(crate) fn receiver_stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        self.stats(stats::Side::Receiver)
    }

    fn stats(&self, side: stats::Side) -> Result<Vec<RtcStats>, RtcError> {
        let link = self
            .link
            .upgrade()
            .ok_or_else(|| RtcError::invalid_state("closed"))?;
        let mid = self.state.lock().mid;
        link.with(|connection, _| connection.section_stats(mid, side))
    }

    // --- what the connection needs

    /// `remove_track`: the track goes, the direction loses "send".
    pub(crate) fn remove_track(&self) -> Result<(), RtcError> {
        self.set_local_track(None)?;
        let mut state = self.state.lock();
        state.direction = match state.direction {
            RtpTransceiverDirection::SendRecv => RtpTransceiverDirection::RecvOnly,
            RtpTransceiverDirection::SendOnly => RtpTransceiverDirection::Inactive,
            other => other,
        };
        Ok(())
    }

    pub(crate) fn str0m_mid(&self) -> Option<Mid> {
        self.state.lock().mid
    }

    pub(crate) fn set_mid(&self, mid: Option<Mid>) {
        self.state.lock().mid = mid;
    }

    /// The direction the next offer asks for; `None` = stopped.
    pub(crate) fn wanted(&self) -> Option<Direction> {
        match self.state.lock().direction {
            RtpTransceiverDirection::SendRecv => Some(Direction::SendRecv),
            RtpTransceiverDirection::SendOnly => Some(Direction::SendOnly),
            RtpTransceiverDirection::RecvOnly => Some(Direction::RecvOnly),
            RtpTransceiverDirection::Inactive => Some(Direction::Inactive),
            RtpTransceiverDirection::Stopped => None,
        }
    }

    /// Stream and track id for `a=msid`.
    pub(crate) fn announcement(&self) -> (Option<String>, Option<String>) {
        let state = self.state.lock();
        (
            state.stream_id.clone(),
            state.local_track.as_ref().map(MediaStreamTrack::id),
        )
    }

    /// A negotiation settled the direction.
    pub(crate) fn settle(&self, direction: Direction, wants_dtx: bool) {
        let mut state = self.state.lock();
        state.current = Some(match direction {
            Direction::SendRecv => RtpTransceiverDirection::SendRecv,
            Direction::SendOnly => RtpTransceiverDirection::SendOnly,
            Direction::RecvOnly => RtpTransceiverDirection::RecvOnly,
            Direction::Inactive => RtpTransceiverDirection::Inactive,
        });
        if let Some(sink) = &state.sink {
            sink.set_dtx(wants_dtx);
        }
        drop(state);
        self.route_sink();
    }

    /// The sink sends while a negotiated section sends.
    fn route_sink(&self) {
        let state = self.state.lock();
        let Some(sink) = &state.sink else { return };
        let sends = matches!(
            state.current,
            Some(RtpTransceiverDirection::SendRecv | RtpTransceiverDirection::SendOnly)
        );
        sink.set_route(state.mid.filter(|_| sends));
    }

    /// What sends the local track, if there is one.
    pub(crate) fn sink(&self) -> Option<Arc<SendSink>> {
        self.state.lock().sink.clone()
    }

    /// What the peer announces for this section. A new announcement is a new track, so that who
    /// listens to the old one never hears another participant. True when a track came.
    pub(crate) fn announce(&self, streams: &[(&str, &str)]) -> bool {
        let mut state = self.state.lock();
        let ids: Vec<String> = streams
            .iter()
            .map(|(stream, _)| (*stream).to_owned())
            .collect();
        if ids == state.remote_streams {
            return false;
        }
        let track_id = streams.first().map(|(_, track)| (*track).to_owned());
        let fresh = remote_track(self.kind, track_id.unwrap_or_else(create_random_uuid));
        let old = std::mem::replace(&mut state.remote_track, fresh);
        state.remote_streams = ids;
        let came = !state.remote_streams.is_empty();
        drop(state);
        end(&old);
        came
    }

    /// No more media will come.
    pub(crate) fn end_remote(&self) {
        end(&self.remote_track());
    }

    /// The connection is closed.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        let sink = state.sink.take();
        drop(state);
        if let Some(sink) = sink {
            sink.detach();
        }
        self.end_remote();
    }
}

pub(crate) fn video_refused() -> RtcError {
    RtcError::internal("video cannot be sent: this engine has no video encoder")
}

fn remote_track(kind: MediaType, id: String) -> MediaStreamTrack {
    match kind {
        MediaType::Video => MediaStreamTrack::Video(RtcVideoTrack {
            inner: Arc::new(VideoTrack::new(id)),
        }),
        _ => MediaStreamTrack::Audio(RtcAudioTrack {
            inner: AudioTrack::new_remote(id),
        }),
    }
}

fn end(track: &MediaStreamTrack) {
    match track {
        MediaStreamTrack::Audio(track) => track.inner.end(),
        MediaStreamTrack::Video(track) => track.inner.end(),
    }
}
