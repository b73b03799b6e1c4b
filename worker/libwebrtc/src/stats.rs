//! Statistics in the shapes of the W3C's `webrtc-stats`. The engine fills what it knows; the rest
//! keeps its default.

use serde::Deserialize;

use crate::data_channel::DataChannelState;

pub mod dictionaries;

/// One entry of a report.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum RtcStats {
    /// A codec in use.
    Codec(CodecStats),
    /// An RTP stream we receive.
    InboundRtp(InboundRtpStats),
    /// An RTP stream we send.
    OutboundRtp(OutboundRtpStats),
    /// What the peer reports about a stream we send.
    RemoteInboundRtp(RemoteInboundRtpStats),
    /// What the peer reports about a stream it sends.
    RemoteOutboundRtp(RemoteOutboundRtpStats),
    /// A local source.
    MediaSource(MediaSourceStats),
    /// A playout device.
    MediaPlayout(MediaPlayoutStats),
    /// The connection.
    PeerConnection(PeerConnectionStats),
    /// A data channel.
    DataChannel(DataChannelStats),
    /// The transport below everything.
    Transport(TransportStats),
    /// A pair of candidates.
    CandidatePair(CandidatePairStats),
    /// A candidate of ours.
    LocalCandidate(LocalCandidateStats),
    /// A candidate of the peer.
    RemoteCandidate(RemoteCandidateStats),
    /// A certificate.
    Certificate(CertificateStats),
    /// A media stream.
    Stream(StreamStats),
    /// A track; no longer in use.
    Track,
}

/// What limits the quality of a sent stream.
#[derive(Debug, Default, Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QualityLimitationReason {
    /// Nothing.
    #[default]
    None,
    /// The processor.
    Cpu,
    /// The network.
    Bandwidth,
    /// Something else.
    Other,
}

/// Our role in ICE.
#[derive(Debug, Default, Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceRole {
    /// Not decided yet.
    #[default]
    Unknown,
    /// We choose the pair.
    Controlling,
    /// The peer chooses the pair.
    Controlled,
}

/// State of DTLS.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsTransportState {
    /// Not begun.
    New,
    /// Shaking hands.
    Connecting,
    /// Keys are agreed.
    Connected,
    /// Ended.
    Closed,
    /// The handshake failed.
    Failed,
}

/// State of ICE.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceTransportState {
    /// Not begun.
    New,
    /// Looking for a path.
    Checking,
    /// A path works.
    Connected,
    /// A path works and the search is over.
    Completed,
    /// The path stopped working.
    Disconnected,
    /// No path works.
    Failed,
    /// Ended.
    Closed,
}

/// Our role in DTLS.
#[derive(Debug, Default, Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsRole {
    /// We opened the handshake.
    Client,
    /// The peer did.
    Server,
    /// Not decided yet.
    #[default]
    Unknown,
}

/// State of a candidate pair (RFC 8445).
#[derive(Debug, Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IceCandidatePairState {
    /// Waits for another pair.
    Frozen,
    /// Will be checked.
    Waiting,
    /// Is being checked.
    InProgress,
    /// Does not work.
    Failed,
    /// Works.
    Succeeded,
}

/// Where a candidate comes from.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceCandidateType {
    /// An interface.
    Host,
    /// A STUN server saw it.
    Srflx,
    /// The peer saw it.
    Prflx,
    /// A TURN server lends it.
    Relay,
}

/// How a server is reached.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceServerTransportProtocol {
    /// Over UDP.
    Udp,
    /// Over TCP.
    Tcp,
    /// Over TLS.
    Tls,
}

/// Which side of a TCP candidate connects (RFC 6544).
#[derive(Debug, Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IceTcpCandidateType {
    /// Ours.
    Active,
    /// The peer.
    Passive,
    /// Both at once.
    So,
}

/// A codec in use.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct CodecStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of a codec.
    #[serde(flatten)]
    pub codec: dictionaries::CodecStats,
}

/// An RTP stream we receive.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct InboundRtpStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of any RTP stream.
    #[serde(flatten)]
    pub stream: dictionaries::RtpStreamStats,
    /// Of an RTP stream at its receiver.
    #[serde(flatten)]
    pub received: dictionaries::ReceivedRtpStreamStats,
    /// Of an RTP stream we receive.
    #[serde(flatten)]
    pub inbound: dictionaries::InboundRtpStreamStats,
}

/// An RTP stream we send.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct OutboundRtpStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of any RTP stream.
    #[serde(flatten)]
    pub stream: dictionaries::RtpStreamStats,
    /// Of an RTP stream at its sender.
    #[serde(flatten)]
    pub sent: dictionaries::SentRtpStreamStats,
    /// Of an RTP stream we send.
    #[serde(flatten)]
    pub outbound: dictionaries::OutboundRtpStreamStats,
}

/// What the peer reports about a stream we send.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct RemoteInboundRtpStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of any RTP stream.
    #[serde(flatten)]
    pub stream: dictionaries::RtpStreamStats,
    /// Of an RTP stream at its receiver.
    #[serde(flatten)]
    pub received: dictionaries::ReceivedRtpStreamStats,
    /// From the peer's receiver reports.
    #[serde(flatten)]
    pub remote_inbound: dictionaries::RemoteInboundRtpStreamStats,
}

/// What the peer reports about a stream it sends.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct RemoteOutboundRtpStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of any RTP stream.
    #[serde(flatten)]
    pub stream: dictionaries::RtpStreamStats,
    /// Of an RTP stream at its sender.
    #[serde(flatten)]
    pub sent: dictionaries::SentRtpStreamStats,
    /// From the peer's sender reports.
    #[serde(flatten)]
    pub remote_outbound: dictionaries::RemoteOutboundRtpStreamStats,
}

/// A local source.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct MediaSourceStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of any local source.
    #[serde(flatten)]
    pub source: dictionaries::MediaSourceStats,
    /// Of a local audio source.
    #[serde(flatten)]
    pub audio: dictionaries::AudioSourceStats,
    /// Of a local video source.
    #[serde(flatten)]
    pub video: dictionaries::VideoSourceStats,
}

/// A playout device.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct MediaPlayoutStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of a playout device.
    #[serde(flatten)]
    pub audio_playout: dictionaries::AudioPlayoutStats,
}

/// The connection.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct PeerConnectionStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of the connection.
    #[serde(flatten)]
    pub pc: dictionaries::PeerConnectionStats,
}

/// A data channel.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct DataChannelStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of a data channel.
    #[serde(flatten)]
    pub dc: dictionaries::DataChannelStats,
}

/// The transport below everything.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct TransportStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of the transport.
    #[serde(flatten)]
    pub transport: dictionaries::TransportStats,
}

/// A pair of candidates.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct CandidatePairStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of a candidate pair.
    #[serde(flatten)]
    pub candidate_pair: dictionaries::CandidatePairStats,
}

/// A candidate of ours.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct LocalCandidateStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of a candidate.
    #[serde(flatten)]
    pub local_candidate: dictionaries::IceCandidateStats,
}

/// A candidate of the peer.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct RemoteCandidateStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of a candidate.
    #[serde(flatten)]
    pub remote_candidate: dictionaries::IceCandidateStats,
}

/// A certificate.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct CertificateStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of a certificate.
    #[serde(flatten)]
    pub certificate: dictionaries::CertificateStats,
}

/// A media stream.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct StreamStats {
    /// Id and time of the entry.
    #[serde(flatten)]
    pub rtc: dictionaries::RtcStats,
    /// Of a media stream.
    #[serde(flatten)]
    pub stream: dictionaries::StreamStats,
}

/// A track; no longer in use.
#[derive(Debug, Default, Clone, Deserialize)]
pub struct TrackStats {}
