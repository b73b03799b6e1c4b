//! Metadata at the end of encoded pictures. No picture passes through this engine, so a handler
//! is never enabled, stores nothing and finds nothing.

use std::sync::Arc;

use crate::{
    peer_connection_factory::PeerConnectionFactory, rtp_receiver::RtpReceiver,
    rtp_sender::RtpSender,
};

/// How far a local picture got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishTimingStage {
    /// Given to the encoder.
    EncoderUpload,
    /// Encoded.
    EncoderOutput,
    /// Given to the packetiser.
    WebrtcPacketize,
}

/// How far a remote picture got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscribeTimingStage {
    /// Put together from packets.
    WebrtcReceive,
    /// Given to the decoder.
    DecoderUpload,
    /// Decoded.
    DecoderOutput,
}

/// A local picture reached a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishTimingEvent {
    /// The stage.
    pub stage: PublishTimingStage,
    /// When, in microseconds since the Unix epoch.
    pub timestamp_us: u64,
    /// When the picture was taken, in microseconds since the Unix epoch.
    pub capture_timestamp_us: u64,
    /// The application's number for the picture.
    pub frame_id: Option<u32>,
}

/// A remote picture reached a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscribeTimingEvent {
    /// The stage.
    pub stage: SubscribeTimingStage,
    /// When, in microseconds since the Unix epoch.
    pub timestamp_us: u64,
    /// When the picture was taken, in microseconds since the Unix epoch.
    pub capture_timestamp_us: u64,
    /// The application's number for the picture.
    pub frame_id: Option<u32>,
}

/// Would be called with each [`PublishTimingEvent`].
pub type PublishTimingObserver = Arc<dyn Fn(PublishTimingEvent) + Send + Sync + 'static>;
/// Would be called with each [`SubscribeTimingEvent`].
pub type SubscribeTimingObserver = Arc<dyn Fn(SubscribeTimingEvent) + Send + Sync + 'static>;

/// A handler that handles nothing.
#[derive(Clone)]
pub struct PacketTrailerHandler {}

impl PacketTrailerHandler {
    /// Ignored.
    pub fn set_enabled(&self, _enabled: bool) {}

    /// Answers `false`.
    pub fn enabled(&self) -> bool {
        false
    }

    /// Answers `None`.
    pub fn lookup_frame_metadata(&self, _rtp_timestamp: u32) -> Option<(u64, u32, Vec<u8>)> {
        None
    }

    /// Ignored.
    pub fn store_frame_metadata(
        &self,
        _capture_timestamp_us: i64,
        _user_timestamp: u64,
        _frame_id: u32,
        _user_data: &[u8],
    ) {
    }

    /// Ignored.
    pub fn set_publish_timing_observer(&self, _observer: Option<PublishTimingObserver>) {}

    /// Ignored.
    pub fn set_subscribe_timing_observer(&self, _observer: Option<SubscribeTimingObserver>) {}
}

/// A handler for pictures to be sent.
pub fn create_sender_handler(
    _peer_factory: &PeerConnectionFactory,
    _sender: &RtpSender,
) -> PacketTrailerHandler {
    PacketTrailerHandler {}
}

/// A handler for received pictures.
pub fn create_receiver_handler(
    _peer_factory: &PeerConnectionFactory,
    _receiver: &RtpReceiver,
) -> PacketTrailerHandler {
    PacketTrailerHandler {}
}
