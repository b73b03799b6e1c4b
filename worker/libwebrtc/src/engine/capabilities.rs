//! Core: what this engine can send and receive.

use crate::{
    MediaType,
    rtp_parameters::{
        RtpCapabilities, RtpCodecCapability, RtpCodecParameters, RtpHeaderExtensionCapability,
    },
    rtp_transceiver::RtpTransceiverDirection,
};

/// RTP clock of Opus in Hz (RFC 7587 section 4.1).
const OPUS_CLOCK: u64 = 48_000;
/// Channels Opus always announces (RFC 7587 section 7).
const OPUS_CHANNELS: u16 = 2;
/// Payload type of Opus in our offers.
const OPUS_PAYLOAD_TYPE: u8 = 111;
const OPUS_MIME: &str = "audio/opus";
/// Client-to-mixer audio level (RFC 6464).
const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

/// What can be sent and received of one kind: Opus, and nothing but audio.
pub(crate) fn of(media_type: MediaType) -> RtpCapabilities {
    if media_type != MediaType::Audio {
        return RtpCapabilities {
            codecs: Vec::new(),
            header_extensions: Vec::new(),
        };
    }
    let opus = RtpCodecCapability {
        channels: Some(OPUS_CHANNELS),
        clock_rate: Some(OPUS_CLOCK),
        mime_type: OPUS_MIME.to_owned(),
        sdp_fmtp_line: Some("minptime=10;useinbandfec=1".to_owned()),
    };
    let level = RtpHeaderExtensionCapability {
        uri: AUDIO_LEVEL.to_owned(),
        direction: RtpTransceiverDirection::SendRecv,
    };
    RtpCapabilities {
        codecs: vec![opus],
        header_extensions: vec![level],
    }
}

/// The codec parameters of an audio section.
pub(crate) fn audio_codecs() -> Vec<RtpCodecParameters> {
    vec![RtpCodecParameters {
        payload_type: OPUS_PAYLOAD_TYPE,
        mime_type: OPUS_MIME.to_owned(),
        clock_rate: Some(OPUS_CLOCK),
        channels: Some(OPUS_CHANNELS),
    }]
}
