//! A connection as the façade sees it.

use std::sync::Arc;

use crate::{
    MediaType, RtcError,
    data_channel::{DataChannel, DataChannelInit},
    engine::callbacks::PeerCallbacks,
    ice_candidate::IceCandidate,
    media_stream_track::MediaStreamTrack,
    peer_connection::{
        BitrateSettings, IceConnectionState, IceGatheringState, OfferOptions, PeerConnectionState,
        SignalingState,
    },
    peer_connection_factory::RtcConfiguration,
    rtp_sender::RtpSender,
    rtp_transceiver::{RtpTransceiver, RtpTransceiverInit},
    session_description::SessionDescription,
    stats::RtcStats,
};

/// The façade's handle.
pub(crate) struct Peer {
    callbacks: PeerCallbacks,
}

fn missing<T>() -> Result<T, RtcError> {
    Err(RtcError::internal("the engine is not built yet"))
}

impl Peer {
    pub(crate) fn open(_config: RtcConfiguration) -> Result<Arc<Self>, RtcError> {
        missing()
    }
    pub(crate) fn callbacks(&self) -> &PeerCallbacks {
        &self.callbacks
    }
    pub(crate) fn set_configuration(&self, _config: RtcConfiguration) -> Result<(), RtcError> {
        missing()
    }
    pub(crate) fn set_bitrate(&self, _settings: BitrateSettings) -> Result<(), RtcError> {
        missing()
    }
    pub(crate) fn create_offer(&self, _o: &OfferOptions) -> Result<SessionDescription, RtcError> {
        missing()
    }
    pub(crate) fn create_answer(&self) -> Result<SessionDescription, RtcError> {
        missing()
    }
    pub(crate) fn set_local_description(&self, _d: SessionDescription) -> Result<(), RtcError> {
        missing()
    }
    pub(crate) fn set_remote_description(&self, _d: SessionDescription) -> Result<(), RtcError> {
        missing()
    }
    pub(crate) fn add_ice_candidate(&self, _candidate: &IceCandidate) -> Result<(), RtcError> {
        missing()
    }
    pub(crate) fn create_data_channel(
        &self,
        _label: &str,
        _init: DataChannelInit,
    ) -> Result<DataChannel, RtcError> {
        missing()
    }
    pub(crate) fn add_track(
        &self,
        _track: MediaStreamTrack,
        _stream_ids: Vec<String>,
    ) -> Result<RtpSender, RtcError> {
        missing()
    }
    pub(crate) fn remove_track(&self, _sender: &RtpSender) -> Result<(), RtcError> {
        missing()
    }
    pub(crate) fn stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        missing()
    }
    pub(crate) fn add_transceiver(
        &self,
        _track: MediaStreamTrack,
        _init: RtpTransceiverInit,
    ) -> Result<RtpTransceiver, RtcError> {
        missing()
    }
    pub(crate) fn add_transceiver_for_media(
        &self,
        _media_type: MediaType,
        _init: RtpTransceiverInit,
    ) -> Result<RtpTransceiver, RtcError> {
        missing()
    }
    pub(crate) fn close(&self) {}
    pub(crate) fn restart_ice(&self) {}
    pub(crate) fn connection_state(&self) -> PeerConnectionState {
        PeerConnectionState::Closed
    }
    pub(crate) fn ice_connection_state(&self) -> IceConnectionState {
        IceConnectionState::Closed
    }
    pub(crate) fn ice_gathering_state(&self) -> IceGatheringState {
        IceGatheringState::New
    }
    pub(crate) fn signaling_state(&self) -> SignalingState {
        SignalingState::Closed
    }
    pub(crate) fn current_local_description(&self) -> Option<SessionDescription> {
        None
    }
    pub(crate) fn current_remote_description(&self) -> Option<SessionDescription> {
        None
    }
    pub(crate) fn transceivers(&self) -> Vec<RtpTransceiver> {
        Vec::new()
    }
}
