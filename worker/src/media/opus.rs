//! Adapter: the Opus decoder at 24 kHz mono; the only file of the worker that names the codec.
//!
//! Opus decodes straight to the model's rate, so nothing is resampled. Does not decide when to
//! rebuild or conceal.

use opus::Channels;

use super::SAMPLE_RATE;

/// Longest packet: 120 ms.
const MAX_SAMPLES: usize = SAMPLE_RATE as usize / 1_000 * 120;

/// A packet that is no Opus, or a decoder that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("opus: {0}")]
pub(super) struct DecodeError(#[from] opus::Error);

/// Ticks of the 48 kHz RTP clock that this packet lasts; `None` when it is no Opus packet.
#[cfg_attr(
    not(feature = "our-engine"),
    expect(dead_code, reason = "upstream's engine hands out no packets")
)]
pub(crate) fn packet_ticks(payload: &[u8]) -> Option<u32> {
    if payload.is_empty() {
        return None;
    }
    let samples = opus::packet::get_nb_samples(payload, 48_000).ok()?;
    u32::try_from(samples)
        .ok()
        .filter(|ticks| (1..=5_760).contains(ticks))
}

/// Decodes one track to 24 kHz mono.
pub(crate) struct Decoder {
    inner: opus::Decoder,
}

impl Decoder {
    pub(crate) fn new() -> Result<Self, DecodeError> {
        Ok(Self {
            inner: opus::Decoder::new(SAMPLE_RATE, Channels::Mono)?,
        })
    }

    /// Appends the packet's samples to `out`.
    pub(crate) fn decode(&mut self, packet: &[u8], out: &mut Vec<i16>) -> Result<(), DecodeError> {
        self.append(packet, MAX_SAMPLES, false, out)
    }

    /// Appends the `ticks` before `next`, from its in-band FEC; without FEC in it, conceals them.
    pub(crate) fn rebuild(
        &mut self,
        next: &[u8],
        ticks: u32,
        out: &mut Vec<i16>,
    ) -> Result<(), DecodeError> {
        self.append(next, ticks as usize / 2, true, out)
    }

    /// Appends `ticks` that carry on from what was decoded last.
    pub(crate) fn conceal(&mut self, ticks: u32, out: &mut Vec<i16>) -> Result<(), DecodeError> {
        self.append(&[], ticks as usize / 2, false, out)
    }

    /// Forgets the past.
    pub(crate) fn reset(&mut self) {
        if let Err(error) = self.inner.reset_state() {
            tracing::debug!(%error, "decoder keeps its state");
        }
    }

    fn append(
        &mut self,
        packet: &[u8],
        room: usize,
        fec: bool,
        out: &mut Vec<i16>,
    ) -> Result<(), DecodeError> {
        let start = out.len();
        out.resize(start + room, 0);
        let decoded = self.inner.decode(packet, &mut out[start..], fec);
        out.truncate(start + decoded.as_ref().copied().unwrap_or(0));
        decoded?;
        Ok(())
    }
}
