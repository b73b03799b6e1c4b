//! Codecs, header extensions and encodings of senders and receivers.

use crate::rtp_transceiver::RtpTransceiverDirection;

/// Relative weight of an encoding or channel. Accepted everywhere, acted on nowhere.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum Priority {
    /// Below everything else.
    VeryLow,
    /// The default.
    Low,
    /// Above the default.
    Medium,
    /// Above everything else.
    High,
}

/// What a video encoder gives up first when bandwidth is short.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Default)]
pub enum DegradationPreference {
    /// Keep both.
    MaintainFramerateAndResolution,
    /// Keep the frame rate.
    MaintainFramerate,
    /// Keep the resolution.
    MaintainResolution,
    /// Give up some of both.
    #[default]
    Balanced,
}

impl DegradationPreference {
    /// The older name of [`MaintainFramerateAndResolution`](Self::MaintainFramerateAndResolution).
    #[deprecated(
        since = "0.8.0",
        note = "it is called MaintainFramerateAndResolution now"
    )]
    #[allow(non_upper_case_globals, reason = "upstream's name")]
    pub const Disabled: Self = Self::MaintainFramerateAndResolution;
}

/// A header extension in use (RFC 8285).
#[derive(Debug, Clone)]
pub struct RtpHeaderExtensionParameters {
    /// Which extension.
    pub uri: String,
    /// Its number in the packets, 1–14 in the one-byte form.
    pub id: i32,
    /// Whether it is encrypted (RFC 6904); always `false` here.
    pub encrypted: bool,
}

/// What a sender or receiver uses.
#[derive(Debug, Clone, Default)]
pub struct RtpParameters {
    /// Codecs in order of preference.
    pub codecs: Vec<RtpCodecParameters>,
    /// Header extensions in use.
    pub header_extensions: Vec<RtpHeaderExtensionParameters>,
    /// Encodings; audio has one.
    pub encodings: Vec<RtpEncodingParameters>,
    /// RTCP settings.
    pub rtcp: RtcpParameters,
    pub(crate) degradation_preference: Option<DegradationPreference>,
}

impl RtpParameters {
    /// Sets what a video encoder gives up first.
    pub fn set_degradation_preference(&mut self, preference: DegradationPreference) {
        self.degradation_preference = Some(preference);
    }

    /// What was set, if anything.
    pub fn degradation_preference(&self) -> Option<DegradationPreference> {
        self.degradation_preference
    }
}

/// One codec of [`RtpParameters`].
#[derive(Debug, Clone, Default)]
pub struct RtpCodecParameters {
    /// Payload type in the RTP header, 0–127.
    pub payload_type: u8,
    /// Kind and name, as in `audio/opus`.
    pub mime_type: String,
    /// RTP clock in Hz.
    pub clock_rate: Option<u64>,
    /// Channels of an audio codec.
    pub channels: Option<u16>,
}

/// RTCP settings of [`RtpParameters`].
#[derive(Debug, Clone, Default)]
pub struct RtcpParameters {
    /// Canonical name of the sending endpoint (RFC 7022).
    pub cname: String,
    /// Reduced-size RTCP (RFC 5506).
    pub reduced_size: bool,
}

/// One encoding of a sender.
#[derive(Debug, Clone)]
pub struct RtpEncodingParameters {
    /// Whether it is sent.
    pub active: bool,
    /// Upper limit in bits per second.
    pub max_bitrate: Option<u64>,
    /// Upper limit in frames per second; video only.
    pub max_framerate: Option<f64>,
    /// Kept, not acted on.
    pub priority: Priority,
    /// Restriction identifier (RFC 8852); empty without simulcast.
    pub rid: String,
    /// Downscaling factor; video only.
    pub scale_resolution_down_by: Option<f64>,
    /// Scalability mode, such as `L3T3_KEY`; video only.
    pub scalability_mode: Option<String>,
    /// Whether [`ssrc`](Self::ssrc) is set.
    pub has_ssrc: bool,
    /// Synchronisation source of the encoding.
    pub ssrc: u32,
}

impl Default for RtpEncodingParameters {
    fn default() -> Self {
        Self {
            active: true,
            max_bitrate: None,
            max_framerate: None,
            priority: Priority::Low,
            rid: String::new(),
            scale_resolution_down_by: None,
            scalability_mode: None,
            has_ssrc: false,
            ssrc: 0,
        }
    }
}

/// A codec this engine could use.
#[derive(Debug, Clone)]
pub struct RtpCodecCapability {
    /// Channels of an audio codec.
    pub channels: Option<u16>,
    /// RTP clock in Hz.
    pub clock_rate: Option<u64>,
    /// Kind and name, as in `audio/opus`.
    pub mime_type: String,
    /// Format parameters as they stand in `a=fmtp`.
    pub sdp_fmtp_line: Option<String>,
}

/// A header extension this engine could use.
#[derive(Debug, Clone)]
pub struct RtpHeaderExtensionCapability {
    /// Which extension.
    pub uri: String,
    /// In which directions.
    pub direction: RtpTransceiverDirection,
}

/// Everything this engine could use for one kind of media.
#[derive(Debug, Clone)]
pub struct RtpCapabilities {
    /// Codecs in order of preference.
    pub codecs: Vec<RtpCodecCapability>,
    /// Header extensions.
    pub header_extensions: Vec<RtpHeaderExtensionCapability>,
}
