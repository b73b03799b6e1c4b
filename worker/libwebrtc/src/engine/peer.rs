//! A connection as the façade sees it: each call is one use of the [`Link`].

use std::sync::Arc;

use parking_lot::Mutex;

use super::{
    Engine,
    callbacks::PeerCallbacks,
    channels::{self, ChannelShared},
    link::Link,
    transceivers::{TransceiverShared, video_refused},
};
use crate::{
    MediaType, RtcError,
    data_channel::{DataChannel, DataChannelInit},
    ice_candidate::IceCandidate,
    media_stream_track::MediaStreamTrack,
    peer_connection::{
        BitrateSettings, IceConnectionState, IceGatheringState, OfferOptions, PeerConnectionState,
        SignalingState,
    },
    peer_connection_factory::{IceTransportsType, RtcConfiguration},
    rtp_sender::RtpSender,
    rtp_transceiver::{RtpTransceiver, RtpTransceiverDirection, RtpTransceiverInit},
    session_description::SessionDescription,
    stats::RtcStats,
};

/// The façade's handle. The connection closes with its last clone.
pub(crate) struct Peer {
    link: Arc<Link>,
    configuration: Mutex<RtcConfiguration>,
}

impl Peer {
    /// Opens sockets and makes a connection on them.
    pub(crate) fn open(configuration: RtcConfiguration) -> Result<Arc<Self>, RtcError> {
        let is_hidden = configuration.ice_transport_type != IceTransportsType::All;
        let link = Engine::get()?.open(is_hidden)?;
        link.configure(&configuration)?;
        Ok(Arc::new(Self {
            link,
            configuration: Mutex::new(configuration),
        }))
    }

    pub(crate) fn callbacks(&self) -> &PeerCallbacks {
        &self.link.listener.callbacks
    }

    fn refuse_if_closed(&self) -> Result<(), RtcError> {
        match self.signaling_state() {
            SignalingState::Closed => Err(RtcError::invalid_state("the connection is closed")),
            _ => Ok(()),
        }
    }

    pub(crate) fn set_configuration(&self, config: RtcConfiguration) -> Result<(), RtcError> {
        self.refuse_if_closed()?;
        self.link.configure(&config)?;
        *self.configuration.lock() = config;
        Ok(())
    }

    pub(crate) fn set_bitrate(&self, settings: BitrateSettings) -> Result<(), RtcError> {
        self.refuse_if_closed()?;
        let min = settings.min_bitrate_bps.unwrap_or(0);
        let max = settings.max_bitrate_bps.unwrap_or(u64::MAX);
        let start = settings.start_bitrate_bps.unwrap_or(min);
        if min > start || start > max {
            return Err(RtcError::internal(
                "bitrates must rise from minimum over start to maximum",
            ));
        }
        Ok(())
    }

    // --- negotiation

    pub(crate) fn create_offer(
        &self,
        options: &OfferOptions,
    ) -> Result<SessionDescription, RtcError> {
        if options.ice_restart {
            self.regather();
        }
        self.link
            .with(|connection, _| connection.create_offer(options.ice_restart))?
    }

    /// Our addresses may have changed since they were gathered.
    fn regather(&self) {
        if let Ok(engine) = Engine::get() {
            engine.regather(&self.link);
        }
    }

    pub(crate) fn create_answer(&self) -> Result<SessionDescription, RtcError> {
        self.link.with(|connection, _| connection.create_answer())?
    }

    pub(crate) fn set_local_description(&self, desc: SessionDescription) -> Result<(), RtcError> {
        self.link.with(|connection, _| connection.set_local(desc))?
    }

    pub(crate) fn set_remote_description(&self, desc: SessionDescription) -> Result<(), RtcError> {
        // The peer may be about to restart a path that broke because our address is gone.
        let state = self.connection_state();
        if matches!(
            state,
            PeerConnectionState::Disconnected | PeerConnectionState::Failed
        ) {
            self.regather();
        }
        self.link
            .with(|connection, _| connection.set_remote(desc))?
    }

    pub(crate) fn add_ice_candidate(&self, candidate: &IceCandidate) -> Result<(), RtcError> {
        self.link
            .with(|connection, _| connection.add_remote_candidate(candidate))?
    }

    pub(crate) fn restart_ice(&self) {
        // On a closed connection there is nothing to restart.
        let _ = self.link.with(|connection, _| connection.want_restart());
    }

    pub(crate) fn current_local_description(&self) -> Option<SessionDescription> {
        self.link
            .with(|connection, _| connection.current_local())
            .ok()
            .flatten()
    }

    pub(crate) fn current_remote_description(&self) -> Option<SessionDescription> {
        self.link
            .with(|connection, _| connection.current_remote())
            .ok()
            .flatten()
    }

    // --- sections and channels

    pub(crate) fn create_data_channel(
        &self,
        label: &str,
        init: DataChannelInit,
    ) -> Result<DataChannel, RtcError> {
        channels::check(&init)?;
        let inner = ChannelShared::new(label.to_owned(), init, Arc::downgrade(&self.link));
        let channel = inner.clone();
        self.link
            .with(|connection, _| connection.add_channel(channel))??;
        Ok(DataChannel { inner })
    }

    pub(crate) fn add_track(
        &self,
        track: MediaStreamTrack,
        stream_ids: Vec<String>,
    ) -> Result<RtpSender, RtcError> {
        let init = RtpTransceiverInit {
            direction: RtpTransceiverDirection::SendRecv,
            stream_ids,
            send_encodings: Vec::new(),
        };
        Ok(self.add_transceiver(track, init)?.sender())
    }

    pub(crate) fn add_transceiver(
        &self,
        track: MediaStreamTrack,
        init: RtpTransceiverInit,
    ) -> Result<RtpTransceiver, RtcError> {
        let MediaStreamTrack::Audio(_) = &track else {
            return Err(video_refused());
        };
        let inner = TransceiverShared::new(MediaType::Audio, init, Arc::downgrade(&self.link));
        inner.set_local_track(Some(track))?;
        self.add_section(inner)
    }

    pub(crate) fn add_transceiver_for_media(
        &self,
        media_type: MediaType,
        init: RtpTransceiverInit,
    ) -> Result<RtpTransceiver, RtcError> {
        if !matches!(media_type, MediaType::Audio | MediaType::Video) {
            return Err(RtcError::internal("a section carries audio or video"));
        }
        self.add_section(TransceiverShared::new(
            media_type,
            init,
            Arc::downgrade(&self.link),
        ))
    }

    fn add_section(&self, inner: Arc<TransceiverShared>) -> Result<RtpTransceiver, RtcError> {
        let section = inner.clone();
        self.link
            .with(|connection, _| connection.add_transceiver(section))?;
        Ok(RtpTransceiver { inner })
    }

    pub(crate) fn remove_track(&self, sender: &RtpSender) -> Result<(), RtcError> {
        self.refuse_if_closed()?;
        let known = self
            .transceivers()
            .iter()
            .any(|t| Arc::ptr_eq(&t.inner, &sender.inner));
        if !known {
            return Err(RtcError::internal(
                "the sender belongs to another connection",
            ));
        }
        sender.inner.remove_track()?;
        self.link
            .with(|connection, _| connection.need_negotiation())
    }

    pub(crate) fn transceivers(&self) -> Vec<RtpTransceiver> {
        let all = self
            .link
            .with(|connection, _| connection.all_transceivers());
        let all = all.unwrap_or_default();
        all.into_iter()
            .map(|inner| RtpTransceiver { inner })
            .collect()
    }

    // --- states and the end

    pub(crate) fn connection_state(&self) -> PeerConnectionState {
        *self.link.status.connection.get()
    }

    pub(crate) fn ice_connection_state(&self) -> IceConnectionState {
        *self.link.status.ice.get()
    }

    pub(crate) fn ice_gathering_state(&self) -> IceGatheringState {
        *self.link.status.gathering.get()
    }

    pub(crate) fn signaling_state(&self) -> SignalingState {
        *self.link.status.signaling.get()
    }

    pub(crate) fn stats(&self) -> Result<Vec<RtcStats>, RtcError> {
        self.link.with(|connection, _| connection.all_stats())
    }

    pub(crate) fn close(&self) {
        if self.signaling_state() != SignalingState::Closed {
            self.link.close();
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.close();
    }
}
