//! A connection to one peer: negotiation, transceivers, data channels, states.

use std::{fmt, sync::Arc};

use crate::{
    MediaType, RtcError,
    data_channel::{DataChannel, DataChannelInit},
    engine::peer::Peer,
    ice_candidate::IceCandidate,
    media_stream::MediaStream,
    media_stream_track::MediaStreamTrack,
    peer_connection_factory::RtcConfiguration,
    rtp_receiver::RtpReceiver,
    rtp_sender::RtpSender,
    rtp_transceiver::{RtpTransceiver, RtpTransceiverInit},
    session_description::SessionDescription,
    stats::RtcStats,
};

/// ICE and DTLS together.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum PeerConnectionState {
    /// Nothing happened yet.
    New,
    /// Looking for a path, or agreeing on keys.
    Connecting,
    /// Media may flow.
    Connected,
    /// Nothing was heard from the peer for 5 s; it may come back.
    Disconnected,
    /// Nothing was heard for 15 s, the peer closed, or its certificate changed.
    Failed,
    /// Closed by us.
    Closed,
}

/// ICE alone.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum IceConnectionState {
    /// Nothing happened yet.
    New,
    /// Looking for a path.
    Checking,
    /// A path works.
    Connected,
    /// A path works and the search is over.
    Completed,
    /// No path works.
    Failed,
    /// The path stopped working; it may come back.
    Disconnected,
    /// Closed by us.
    Closed,
    /// Not a state; upstream counts its states with it.
    Max,
}

/// Search for our own candidates.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum IceGatheringState {
    /// Not begun.
    New,
    /// Going on.
    Gathering,
    /// Over.
    Complete,
}

/// Where offer and answer stand (RFC 9429).
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum SignalingState {
    /// No exchange is going on.
    Stable,
    /// We offered.
    HaveLocalOffer,
    /// We answered provisionally.
    HaveLocalPrAnswer,
    /// The peer offered.
    HaveRemoteOffer,
    /// The peer answered provisionally.
    HaveRemotePrAnswer,
    /// Closed by us.
    Closed,
}

/// How to make an offer.
#[derive(Debug, Clone, Default)]
pub struct OfferOptions {
    /// New ICE credentials: look for a path anew while the old one carries on.
    pub ice_restart: bool,
    /// Upstream's older way to ask for audio; transceivers decide here.
    pub offer_to_receive_audio: bool,
    /// Upstream's older way to ask for video; transceivers decide here.
    pub offer_to_receive_video: bool,
}

/// How to make an answer: there is no choice.
#[derive(Debug, Clone, Default)]
pub struct AnswerOptions {}

/// Limits of the bandwidth estimate, in bits per second. Checked and kept; audio is too small to
/// be limited by them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BitrateSettings {
    /// Floor of the estimate.
    pub min_bitrate_bps: Option<u64>,
    /// Value the estimate restarts from.
    pub start_bitrate_bps: Option<u64>,
    /// Cap of the estimate.
    pub max_bitrate_bps: Option<u64>,
}

/// A STUN or TURN server that could not be used.
#[derive(Debug, Clone)]
pub struct IceCandidateError {
    /// Local address.
    pub address: String,
    /// Local port.
    pub port: i32,
    /// The server.
    pub url: String,
    /// STUN error code (RFC 8489), 701 when the server did not answer.
    pub error_code: i32,
    /// The server's words.
    pub error_text: String,
}

/// A remote track was announced.
#[derive(Debug, Clone)]
pub struct TrackEvent {
    /// Its receiver.
    pub receiver: RtpReceiver,
    /// The streams it belongs to.
    pub streams: Vec<MediaStream>,
    /// The track.
    pub track: MediaStreamTrack,
    /// Its transceiver.
    pub transceiver: RtpTransceiver,
}

/// Called after each change of the connection state.
pub type OnConnectionChange = Box<dyn FnMut(PeerConnectionState) + Send + Sync>;
/// Called with each channel the peer opened.
pub type OnDataChannel = Box<dyn FnMut(DataChannel) + Send + Sync>;
/// Called with each candidate of ours.
pub type OnIceCandidate = Box<dyn FnMut(IceCandidate) + Send + Sync>;
/// Called when a STUN or TURN server fails.
pub type OnIceCandidateError = Box<dyn FnMut(IceCandidateError) + Send + Sync>;
/// Called after each change of the ICE state.
pub type OnIceConnectionChange = Box<dyn FnMut(IceConnectionState) + Send + Sync>;
/// Called after each change of the gathering state.
pub type OnIceGatheringChange = Box<dyn FnMut(IceGatheringState) + Send + Sync>;
/// Called when an offer is due; the number identifies the reason.
pub type OnNegotiationNeeded = Box<dyn FnMut(u32) + Send + Sync>;
/// Called after each change of the signalling state.
pub type OnSignalingChange = Box<dyn FnMut(SignalingState) + Send + Sync>;
/// Called once for each remote track.
pub type OnTrack = Box<dyn FnMut(TrackEvent) + Send + Sync>;

/// Handle of a connection; clones name the same connection. It closes with its last clone.
#[derive(Clone)]
pub struct PeerConnection {
    pub(crate) peer: Arc<Peer>,
}

impl PeerConnection {
    /// Replaces the list of servers.
    ///
    /// # Errors
    /// When the connection is closed.
    pub fn set_configuration(&self, config: RtcConfiguration) -> Result<(), RtcError> {
        self.peer.set_configuration(config)
    }

    /// Checks and keeps limits of the bandwidth estimate; each call replaces the one before.
    ///
    /// # Errors
    /// When the limits contradict each other, or the connection is closed.
    pub fn set_bitrate(&self, settings: BitrateSettings) -> Result<(), RtcError> {
        self.peer.set_bitrate(settings)
    }

    /// Makes an offer of everything wanted now; also when nothing changed. It takes effect with
    /// [`set_local_description`](Self::set_local_description).
    ///
    /// # Errors
    /// When the connection is closed or the peer's offer is unanswered.
    pub async fn create_offer(
        &self,
        options: OfferOptions,
    ) -> Result<SessionDescription, RtcError> {
        self.peer.create_offer(&options)
    }

    /// Answers the peer's offer.
    ///
    /// # Errors
    /// When there is no such offer.
    pub async fn create_answer(
        &self,
        _options: AnswerOptions,
    ) -> Result<SessionDescription, RtcError> {
        self.peer.create_answer()
    }

    /// Applies our own offer or answer; its text may have been edited. The first one starts the
    /// search for candidates.
    ///
    /// # Errors
    /// When no such description was created, or the state does not allow it.
    pub async fn set_local_description(&self, desc: SessionDescription) -> Result<(), RtcError> {
        self.peer.set_local_description(desc)
    }

    /// Applies the peer's offer or answer. While our offer is out, the answer already in force
    /// means: take our offer back.
    ///
    /// # Errors
    /// When the text cannot be used, or the state does not allow it.
    pub async fn set_remote_description(&self, desc: SessionDescription) -> Result<(), RtcError> {
        self.peer.set_remote_description(desc)
    }

    /// Adds a candidate of the peer. Host names are passed over; TCP is tried when UDP fails.
    ///
    /// # Errors
    /// When there is no remote description yet, or the text is not a candidate.
    pub async fn add_ice_candidate(&self, candidate: IceCandidate) -> Result<(), RtcError> {
        self.peer.add_ice_candidate(&candidate)
    }

    /// Makes a data channel. The first one needs a negotiation, later ones do not.
    ///
    /// # Errors
    /// When the connection is closed, or the settings contradict each other.
    pub fn create_data_channel(
        &self,
        label: &str,
        init: DataChannelInit,
    ) -> Result<DataChannel, RtcError> {
        self.peer.create_data_channel(label, init)
    }

    /// Sends a track in a new section.
    ///
    /// # Errors
    /// For video tracks, and when the connection is closed.
    pub fn add_track<T: AsRef<str>>(
        &self,
        track: MediaStreamTrack,
        streams_ids: &[T],
    ) -> Result<RtpSender, RtcError> {
        let stream_ids = streams_ids
            .iter()
            .map(|id| id.as_ref().to_owned())
            .collect();
        self.peer.add_track(track, stream_ids)
    }

    /// Stops sending the sender's track; the section loses its "send" with the next negotiation.
    ///
    /// # Errors
    /// When the sender belongs to another connection.
    pub fn remove_track(&self, sender: RtpSender) -> Result<(), RtcError> {
        self.peer.remove_track(&sender)
    }

    /// Statistics of the whole connection.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn get_stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        self.peer.stats()
    }

    /// Adds a section that sends `track`.
    ///
    /// # Errors
    /// For video tracks, and when the connection is closed.
    pub fn add_transceiver(
        &self,
        track: MediaStreamTrack,
        init: RtpTransceiverInit,
    ) -> Result<RtpTransceiver, RtcError> {
        self.peer.add_transceiver(track, init)
    }

    /// Adds a section without a track.
    ///
    /// # Errors
    /// For kinds other than audio and video, and when the connection is closed.
    pub fn add_transceiver_for_media(
        &self,
        media_type: MediaType,
        init: RtpTransceiverInit,
    ) -> Result<RtpTransceiver, RtcError> {
        self.peer.add_transceiver_for_media(media_type, init)
    }

    /// Ends the connection: sockets, timers and channels go at once.
    pub fn close(&self) {
        self.peer.close();
    }

    /// The next offer will carry new ICE credentials.
    pub fn restart_ice(&self) {
        self.peer.restart_ice();
    }

    /// ICE and DTLS together.
    pub fn connection_state(&self) -> PeerConnectionState {
        self.peer.connection_state()
    }

    /// ICE alone.
    pub fn ice_connection_state(&self) -> IceConnectionState {
        self.peer.ice_connection_state()
    }

    /// Search for our own candidates.
    pub fn ice_gathering_state(&self) -> IceGatheringState {
        self.peer.ice_gathering_state()
    }

    /// Where offer and answer stand.
    pub fn signaling_state(&self) -> SignalingState {
        self.peer.signaling_state()
    }

    /// Our side of the last completed exchange.
    pub fn current_local_description(&self) -> Option<SessionDescription> {
        self.peer.current_local_description()
    }

    /// The peer's side of the last completed exchange.
    pub fn current_remote_description(&self) -> Option<SessionDescription> {
        self.peer.current_remote_description()
    }

    /// All senders, also those without a track.
    pub fn senders(&self) -> Vec<RtpSender> {
        self.transceivers()
            .iter()
            .map(RtpTransceiver::sender)
            .collect()
    }

    /// All receivers.
    pub fn receivers(&self) -> Vec<RtpReceiver> {
        self.transceivers()
            .iter()
            .map(RtpTransceiver::receiver)
            .collect()
    }

    /// All transceivers, in the order they were made.
    pub fn transceivers(&self) -> Vec<RtpTransceiver> {
        self.peer.transceivers()
    }

    /// Replaces the callback for connection states.
    pub fn on_connection_state_change(&self, f: Option<OnConnectionChange>) {
        self.peer.callbacks().connection_state.set(f);
    }

    /// Replaces the callback for channels the peer opens.
    pub fn on_data_channel(&self, f: Option<OnDataChannel>) {
        self.peer.callbacks().data_channel.set(f);
    }

    /// Replaces the callback for candidates of ours.
    pub fn on_ice_candidate(&self, f: Option<OnIceCandidate>) {
        self.peer.callbacks().candidate.set(f);
    }

    /// Replaces the callback for failing servers.
    pub fn on_ice_candidate_error(&self, f: Option<OnIceCandidateError>) {
        self.peer.callbacks().candidate_error.set(f);
    }

    /// Replaces the callback for ICE states.
    pub fn on_ice_connection_state_change(&self, f: Option<OnIceConnectionChange>) {
        self.peer.callbacks().ice_state.set(f);
    }

    /// Replaces the callback for gathering states.
    pub fn on_ice_gathering_state_change(&self, f: Option<OnIceGatheringChange>) {
        self.peer.callbacks().gathering_state.set(f);
    }

    /// Replaces the callback for due offers.
    pub fn on_negotiation_needed(&self, f: Option<OnNegotiationNeeded>) {
        self.peer.callbacks().negotiation_needed.set(f);
    }

    /// Replaces the callback for signalling states.
    pub fn on_signaling_state_change(&self, f: Option<OnSignalingChange>) {
        self.peer.callbacks().signaling_state.set(f);
    }

    /// Replaces the callback for remote tracks.
    pub fn on_track(&self, f: Option<OnTrack>) {
        self.peer.callbacks().track.set(f);
    }
}

impl fmt::Debug for PeerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerConnection")
            .field("state", &self.connection_state())
            .field("ice_state", &self.ice_connection_state())
            .finish()
    }
}
