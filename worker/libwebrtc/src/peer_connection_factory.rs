//! Where connections and tracks come from.

use std::fmt;

use crate::{
    MediaType, RtcError,
    engine::{self, peer::Peer},
    peer_connection::PeerConnection,
    rtp_parameters::RtpCapabilities,
};

/// A STUN or TURN server.
#[derive(Debug, Clone)]
pub struct IceServer {
    /// Its addresses (RFC 7064, RFC 7065).
    pub urls: Vec<String>,
    /// User name for TURN.
    pub username: String,
    /// Password for TURN.
    pub password: String,
}

/// Whether to look for new candidates after the first search.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum ContinualGatheringPolicy {
    /// Search once.
    GatherOnce,
    /// Search again when interfaces change; here only an ICE restart does.
    GatherContinually,
}

/// Which candidates may be used.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum IceTransportsType {
    /// Addresses on relays (TURN) only.
    Relay,
    /// All but our own addresses. Here that is relays only: the ICE library answers nobody on a socket whose own
    /// address it may not tell, so what STUN servers see is of no use alone.
    NoHost,
    /// All.
    All,
}

/// Configuration of a connection. Make it with [`Default`] and set what you need:
///
/// ```
/// use libwebrtc::peer_connection_factory::{IceTransportsType, RtcConfiguration};
///
/// let mut config = RtcConfiguration::default();
/// config.ice_transport_type = IceTransportsType::All;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RtcConfiguration {
    /// STUN and TURN servers (RFC 7064, RFC 7065); at most eight addresses are used. STUN is asked when a
    /// search for a path begins, TURN over UDP, TCP or TLS after a second without a path, or at once when
    /// nothing else may be used.
    pub ice_servers: Vec<IceServer>,
    /// Whether to look for new candidates after the first search.
    pub continual_gathering_policy: ContinualGatheringPolicy,
    /// Which candidates may be used.
    pub ice_transport_type: IceTransportsType,
    /// Offer SCTP's first packet within the description. Both sides must want it; here it is
    /// never offered, which every peer accepts.
    pub enable_sctp_snap: bool,
}

impl Default for RtcConfiguration {
    fn default() -> Self {
        Self {
            ice_servers: Vec::new(),
            continual_gathering_policy: ContinualGatheringPolicy::GatherContinually,
            ice_transport_type: IceTransportsType::All,
            enable_sctp_snap: false,
        }
    }
}

/// Makes connections and tracks. All factories of a process share one engine.
#[derive(Clone, Default)]
pub struct PeerConnectionFactory {}

impl PeerConnectionFactory {
    /// A factory whose video would be shown without delay. Video is not decoded here.
    pub fn with_zero_playout_delay() -> Self {
        Self::default()
    }

    /// A factory with both of upstream's switches; each is negotiated or about video, so neither
    /// changes anything here.
    pub fn with_options(_zero_playout_delay: bool, _enable_warp: bool) -> Self {
        Self::default()
    }

    /// Makes a connection with sockets of its own.
    ///
    /// # Errors
    /// When no socket can be opened.
    pub fn create_peer_connection(
        &self,
        config: RtcConfiguration,
    ) -> Result<PeerConnection, RtcError> {
        Ok(PeerConnection {
            peer: Peer::open(config)?,
        })
    }

    /// What could be sent: Opus for audio, nothing for video.
    pub fn get_rtp_sender_capabilities(&self, media_type: MediaType) -> RtpCapabilities {
        engine::capabilities::of(media_type)
    }

    /// What could be received: Opus for audio, nothing for video.
    pub fn get_rtp_receiver_capabilities(&self, media_type: MediaType) -> RtpCapabilities {
        engine::capabilities::of(media_type)
    }
}

impl fmt::Debug for PeerConnectionFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerConnectionFactory").finish()
    }
}

/// What upstream offers outside browsers.
pub mod native {
    use std::sync::Arc;

    use super::PeerConnectionFactory;
    use crate::{
        audio_source::native::NativeAudioSource,
        audio_track::RtcAudioTrack,
        engine::track::{AudioTrack, VideoTrack},
        video_source::native::NativeVideoSource,
        video_track::RtcVideoTrack,
    };

    /// Tracks from sources, and the machine's audio devices, of which there are none.
    pub trait PeerConnectionFactoryExt {
        /// A track that would send pictures. It can be made; publishing it is refused.
        fn create_video_track(&self, label: &str, source: NativeVideoSource) -> RtcVideoTrack;
        /// A track that sends what `source` captures. `label` becomes the track's id.
        fn create_audio_track(&self, label: &str, source: NativeAudioSource) -> RtcAudioTrack;
        /// A track of the recording device: a silent one.
        fn create_device_audio_track(&self, label: &str) -> RtcAudioTrack;
        /// Number of playout devices: 0.
        fn playout_devices(&self) -> i16;
        /// Number of recording devices: 0.
        fn recording_devices(&self) -> i16;
        /// Name of a playout device: empty.
        fn playout_device_name(&self, index: u16) -> String;
        /// Name of a recording device: empty.
        fn recording_device_name(&self, index: u16) -> String;
        /// Identifier of a playout device: empty.
        fn playout_device_guid(&self, index: u16) -> String;
        /// Identifier of a recording device: empty.
        fn recording_device_guid(&self, index: u16) -> String;
        /// Answers `false`.
        fn set_playout_device(&self, index: u16) -> bool;
        /// Answers `false`.
        fn set_recording_device(&self, index: u16) -> bool;
        /// Answers `false`.
        fn set_playout_device_by_guid(&self, guid: &str) -> bool;
        /// Answers `false`.
        fn set_recording_device_by_guid(&self, guid: &str) -> bool;
        /// Answers `false`.
        fn stop_recording(&self) -> bool;
        /// Answers `false`.
        fn init_recording(&self) -> bool;
        /// Answers `false`.
        fn start_recording(&self) -> bool;
        /// Answers `false`.
        fn recording_is_initialized(&self) -> bool;
        /// Answers `false`.
        fn stop_playout(&self) -> bool;
        /// Answers `false`.
        fn init_playout(&self) -> bool;
        /// Answers `false`.
        fn start_playout(&self) -> bool;
        /// Answers `false`.
        fn playout_is_initialized(&self) -> bool;
        /// Answers `false`.
        fn builtin_aec_is_available(&self) -> bool;
        /// Answers `false`.
        fn builtin_agc_is_available(&self) -> bool;
        /// Answers `false`.
        fn builtin_ns_is_available(&self) -> bool;
        /// Answers `false`.
        fn enable_builtin_aec(&self, enable: bool) -> bool;
        /// Answers `false`.
        fn enable_builtin_agc(&self, enable: bool) -> bool;
        /// Answers `false`.
        fn enable_builtin_ns(&self, enable: bool) -> bool;
        /// Does nothing.
        fn set_adm_recording_enabled(&self, enabled: bool);
        /// Answers `false`.
        fn adm_recording_enabled(&self) -> bool;
        /// Does nothing.
        fn set_adm_playout_enabled(&self, enabled: bool);
        /// Answers `false`.
        fn adm_playout_enabled(&self) -> bool;
        /// Answers `false`: there is no audio module to acquire.
        fn acquire_platform_adm(&self) -> bool;
        /// Does nothing.
        fn release_platform_adm(&self);
        /// Answers 0.
        fn platform_adm_ref_count(&self) -> i32;
        /// Answers `false`.
        fn is_platform_adm_active(&self) -> bool;
    }

    /// Methods about audio devices, all with the same answer.
    macro_rules! no_device {
        ($(fn $name:ident($($arg:ident: $arg_type:ty),*) -> $result:ty { $($answer:expr)? })*) => {
            $(fn $name(&self, $($arg: $arg_type),*) -> $result { $($answer)? })*
        };
    }

    impl PeerConnectionFactoryExt for PeerConnectionFactory {
        fn create_video_track(&self, label: &str, source: NativeVideoSource) -> RtcVideoTrack {
            RtcVideoTrack {
                inner: Arc::new(VideoTrack::local(label.to_owned(), source)),
            }
        }

        fn create_audio_track(&self, label: &str, source: NativeAudioSource) -> RtcAudioTrack {
            RtcAudioTrack {
                inner: AudioTrack::local(label.to_owned(), source.inner),
            }
        }

        fn create_device_audio_track(&self, label: &str) -> RtcAudioTrack {
            RtcAudioTrack {
                inner: AudioTrack::device(label.to_owned()),
            }
        }

        no_device! {
            fn playout_devices() -> i16 { 0 }
            fn recording_devices() -> i16 { 0 }
            fn playout_device_name(_index: u16) -> String { String::new() }
            fn recording_device_name(_index: u16) -> String { String::new() }
            fn playout_device_guid(_index: u16) -> String { String::new() }
            fn recording_device_guid(_index: u16) -> String { String::new() }
            fn set_playout_device(_index: u16) -> bool { false }
            fn set_recording_device(_index: u16) -> bool { false }
            fn set_playout_device_by_guid(_guid: &str) -> bool { false }
            fn set_recording_device_by_guid(_guid: &str) -> bool { false }
            fn stop_recording() -> bool { false }
            fn init_recording() -> bool { false }
            fn start_recording() -> bool { false }
            fn recording_is_initialized() -> bool { false }
            fn stop_playout() -> bool { false }
            fn init_playout() -> bool { false }
            fn start_playout() -> bool { false }
            fn playout_is_initialized() -> bool { false }
            fn builtin_aec_is_available() -> bool { false }
            fn builtin_agc_is_available() -> bool { false }
            fn builtin_ns_is_available() -> bool { false }
            fn enable_builtin_aec(_enable: bool) -> bool { false }
            fn enable_builtin_agc(_enable: bool) -> bool { false }
            fn enable_builtin_ns(_enable: bool) -> bool { false }
            fn set_adm_recording_enabled(_enabled: bool) -> () { }
            fn adm_recording_enabled() -> bool { false }
            fn set_adm_playout_enabled(_enabled: bool) -> () { }
            fn adm_playout_enabled() -> bool { false }
            fn acquire_platform_adm() -> bool { false }
            fn release_platform_adm() -> () { }
            fn platform_adm_ref_count() -> i32 { 0 }
            fn is_platform_adm_active() -> bool { false }
        }
    }
}
