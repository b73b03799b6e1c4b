//! Adapter: the Opus codec; the only file of this crate that names it.
//!
//! Opus encodes and decodes at 8, 12, 16, 24 and 48 kHz by itself, so those rates need no
//! resampling. Decides how the encoder is set up; does not decide when to encode, conceal or rebuild.

use opus::{Application, Bitrate, Channels, Signal};

/// Longest Opus packet we make: 20 ms at the highest bitrate stays below this (RFC 6716, 3.2.1).
const MAX_PACKET: usize = 1_276;

/// Longest packet duration Opus knows: 120 ms.
const MAX_MILLIS: u32 = 120;

/// The codec refused.
#[derive(Debug, thiserror::Error)]
#[error("opus: {0}")]
pub(crate) struct CodecError(#[from] opus::Error);

/// Whether Opus runs at this rate without resampling.
pub(crate) fn is_native(sample_rate: u32) -> bool {
    matches!(sample_rate, 8_000 | 12_000 | 16_000 | 24_000 | 48_000)
}

/// Ticks of the 48 kHz RTP clock that this packet lasts; `None` for a malformed one.
pub(crate) fn duration_ticks(packet: &[u8]) -> Option<u32> {
    if packet.is_empty() {
        return None;
    }
    let samples = opus::packet::get_nb_samples(packet, 48_000).ok()?;
    u32::try_from(samples)
        .ok()
        .filter(|ticks| *ticks > 0 && *ticks <= 48 * MAX_MILLIS)
}

/// Whether this packet carries a copy of the sound before it: in-band FEC (RFC 6716, 4.2.4).
pub(crate) fn has_fec(packet: &[u8]) -> bool {
    let (Ok(frames), Some(toc)) = (opus::packet::get_nb_frames(packet), packet.first()) else {
        return false;
    };
    // Configurations from 16 on are CELT, which has none. Only the first of several frames matters,
    // and it begins behind the table of contents when it is the only one; longer packets of several
    // frames are not made by anybody who sends FEC.
    let (config, is_stereo) = (toc >> 3, toc & 0b100 != 0);
    if config >= 16 || frames != 1 {
        return false;
    }
    let Some(header) = packet.get(1) else {
        return false;
    };
    // One voice-activity bit for each 20 ms, then the FEC flag; in stereo the same again.
    let pieces = match config {
        2 | 6 | 10 => 2,
        3 | 7 | 11 => 3,
        _ => 1,
    };
    let flag = |at: u8| header >> (7 - at) & 1 == 1;
    flag(pieces) || (is_stereo && flag(2 * pieces + 1))
}

/// What an encoder is made for. Changing it means a new encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// One of the rates of [`is_native`].
    pub(crate) sample_rate: u32,
    /// One or two.
    pub(crate) channels: u32,
}

impl Format {
    /// Samples of all channels in `millis` milliseconds.
    pub(crate) fn samples(self, millis: u32) -> usize {
        (self.sample_rate / 1_000 * millis * self.channels) as usize
    }

    /// One voice at a voice rate; anything else may be music.
    pub(crate) fn is_voice(self) -> bool {
        self.channels == 1 && self.sample_rate <= 24_000
    }

    fn opus_channels(self) -> Channels {
        if self.channels == 2 {
            Channels::Stereo
        } else {
            Channels::Mono
        }
    }
}

/// How much work and which bandwidth an encoder may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Effort {
    /// Bits per second; `None` leaves it to the codec.
    pub(crate) bitrate: Option<u32>,
    /// 0 (cheapest) to 10 (best).
    pub(crate) complexity: u8,
    /// Silence may be reduced to packets of one or two bytes.
    pub(crate) dtx: bool,
    /// Loss the far end reports, in percent; above zero in-band FEC is on, which costs 25–35 % more.
    pub(crate) loss_percent: u8,
}

/// One Opus encoder.
pub(crate) struct Encoder {
    inner: opus::Encoder,
    scratch: [u8; MAX_PACKET],
}

impl Encoder {
    pub(crate) fn new(format: Format, effort: Effort) -> Result<Self, CodecError> {
        let application = if format.is_voice() {
            Application::Voip
        } else {
            Application::Audio
        };
        let mut inner =
            opus::Encoder::new(format.sample_rate, format.opus_channels(), application)?;
        // Left to itself the codec may take speech for music and choose the mode for it.
        inner.set_signal(if format.is_voice() {
            Signal::Voice
        } else {
            Signal::Auto
        })?;
        let mut encoder = Self {
            inner,
            scratch: [0; MAX_PACKET],
        };
        encoder.set_effort(effort)?;
        Ok(encoder)
    }

    /// Applies from the next packet on.
    pub(crate) fn set_effort(&mut self, effort: Effort) -> Result<(), CodecError> {
        self.inner.set_bitrate(match effort.bitrate {
            Some(bits) => Bitrate::Bits(i32::try_from(bits).unwrap_or(i32::MAX)),
            None => Bitrate::Auto,
        })?;
        self.inner
            .set_complexity(i32::from(effort.complexity.min(10)))?;
        self.inner.set_dtx(effort.dtx)?;
        self.inner.set_inband_fec(effort.loss_percent > 0)?;
        self.inner
            .set_packet_loss_perc(i32::from(effort.loss_percent.min(100)))?;
        Ok(())
    }

    /// Encodes one frame of a duration Opus knows; interleaved samples of the format given at `new`.
    pub(crate) fn encode(&mut self, pcm: &[i16]) -> Result<&[u8], CodecError> {
        let len = self.inner.encode(pcm, &mut self.scratch)?;
        Ok(&self.scratch[..len])
    }
}

/// One Opus decoder with its concealment.
pub(crate) struct Decoder {
    inner: opus::Decoder,
    format: Format,
}

impl Decoder {
    pub(crate) fn new(format: Format) -> Result<Self, CodecError> {
        let inner = opus::Decoder::new(format.sample_rate, format.opus_channels())?;
        Ok(Self { inner, format })
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Appends the whole packet's samples to `out`.
    pub(crate) fn decode(&mut self, packet: &[u8], out: &mut Vec<i16>) -> Result<(), CodecError> {
        let room = self.format.samples(MAX_MILLIS);
        self.append(packet, room, false, out)
    }

    /// Rebuilds the `ticks` (48 kHz) before `next` from its in-band FEC; without FEC in it, conceals.
    pub(crate) fn rebuild(
        &mut self,
        next: &[u8],
        ticks: u32,
        out: &mut Vec<i16>,
    ) -> Result<(), CodecError> {
        self.append(next, self.samples(ticks), true, out)
    }

    /// Invents `ticks` (48 kHz) that carry on from what was decoded last.
    pub(crate) fn conceal(&mut self, ticks: u32, out: &mut Vec<i16>) -> Result<(), CodecError> {
        self.append(&[], self.samples(ticks), false, out)
    }

    /// Forgets the past, for a new stream of packets.
    pub(crate) fn reset(&mut self) {
        if let Err(error) = self.inner.reset_state() {
            tracing::debug!(%error, "decoder keeps its state");
        }
    }

    fn samples(&self, ticks: u32) -> usize {
        (ticks as usize * self.format.sample_rate as usize / 48_000) * self.format.channels as usize
    }

    fn append(
        &mut self,
        packet: &[u8],
        room: usize,
        fec: bool,
        out: &mut Vec<i16>,
    ) -> Result<(), CodecError> {
        let start = out.len();
        out.resize(start + room, 0);
        let decoded = self.inner.decode(packet, &mut out[start..], fec);
        let kept = decoded
            .as_ref()
            .map_or(0, |frames| frames * self.format.channels as usize);
        out.truncate(start + kept);
        decoded?;
        Ok(())
    }
}
