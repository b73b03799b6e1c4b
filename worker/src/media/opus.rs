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
pub(crate) struct DecodeError(#[from] opus::Error);

/// Ticks of the 48 kHz RTP clock that this packet lasts; `None` when it is no Opus packet.
pub(crate) fn packet_ticks(payload: &[u8]) -> Option<u32> {
    if payload.is_empty() {
        return None;
    }
    let samples = opus::packet::get_nb_samples(payload, 48_000).ok()?;
    u32::try_from(samples)
        .ok()
        .filter(|ticks| (1..=5_760).contains(ticks))
}

/// Whether this packet carries a copy of the sound before it: in-band FEC (RFC 6716, 4.2.4).
pub(crate) fn has_fec(payload: &[u8]) -> bool {
    let (Ok(frames), Some(toc)) = (opus::packet::get_nb_frames(payload), payload.first()) else {
        return false;
    };
    // From 16 on it is CELT, which has none. Whoever sends FEC sends one frame in a packet.
    let (config, is_stereo) = (toc >> 3, toc & 0b100 != 0);
    if config >= 16 || frames != 1 {
        return false;
    }
    let Some(header) = payload.get(1) else {
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
        // Room for this packet and no more: it waits when the socket is behind.
        let room = packet_ticks(packet).map_or(MAX_SAMPLES, |ticks| ticks as usize / 2);
        self.append(packet, room, false, out)
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

#[cfg(test)]
mod tests {
    use opus::{Application, Encoder};

    use super::*;

    #[test]
    fn fec_is_seen_where_the_encoder_put_it() {
        for fec in [true, false] {
            let mode = Application::Voip;
            let mut encoder = Encoder::new(SAMPLE_RATE, Channels::Mono, mode).unwrap();
            encoder.set_signal(opus::Signal::Voice).unwrap();
            encoder.set_inband_fec(fec).unwrap();
            encoder.set_packet_loss_perc(20).unwrap();
            let voice = |n: usize| ((n % 170) as i16 - 85) * 80;
            let pcm: Vec<i16> = (0..480 * 50).map(voice).collect();
            let found = pcm
                .chunks(480)
                .filter(|frame| has_fec(&encoder.encode_vec(frame, 1_000).unwrap()))
                .count();
            // Not in every packet: what is cheap to conceal has none.
            let expected = if fec { 20..=50 } else { 0..=0 };
            assert!(expected.contains(&found), "{found} of 50");
        }
        assert!(!has_fec(&[]) && !has_fec(&[0x48]) && !has_fec(&[0xd8, 0xff]));
    }

    /// Our own encoder's packets of 10, 20 and 60 ms.
    fn real_packets() -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip).unwrap();
        encoder.set_inband_fec(true).unwrap();
        encoder.set_packet_loss_perc(30).unwrap();
        let pcm: Vec<i16> = (0..1_440_i32)
            .map(|n| ((n * n / 7) % 20_000) as i16)
            .collect();
        let encode = |samples: usize| encoder.encode_vec(&pcm[..samples], 1_276).unwrap();
        [240, 480, 1_440, 480].map(encode).into()
    }

    /// A few packets and, for each, what to do with it: an input is a list of steps of eight bytes, and
    /// the rest is the packet when none of ours is meant.
    #[test]
    fn any_packet_is_decoded_or_refused() {
        let real = real_packets();
        bolero::check!().for_each(|input: &[u8]| {
            let mut decoder = Decoder::new().unwrap();
            let mut pcm = Vec::new();
            for step in input.chunks(8) {
                let at = |index: usize| step.get(index).copied().unwrap_or(0);
                let mut packet = match real.get(usize::from(at(0)) % 8) {
                    Some(packet) => packet.clone(),
                    None => input[usize::from(at(3)).min(input.len())..].to_vec(),
                };
                packet.truncate(usize::from(u16::from_be_bytes([at(1) & 7, at(2)])));
                if let Some(byte) = packet.get_mut(usize::from(at(3))) {
                    *byte ^= at(4);
                }
                // No byte more than the packet: so a sanitizer sees a read beyond its end.
                let packet = packet.into_boxed_slice();
                let ticks = u32::from(u16::from_be_bytes([at(5), at(6)])) % 5_761;
                pcm.clear();
                // An error is an answer, too.
                let _ = match at(7) % 4 {
                    0 => decoder.rebuild(&packet, ticks, &mut pcm),
                    1 => decoder.conceal(ticks, &mut pcm),
                    _ => decoder.decode(&packet, &mut pcm),
                };
                assert!(pcm.len() <= MAX_SAMPLES);
                let _ = has_fec(&packet);
                assert!(packet_ticks(&packet).is_none_or(|ticks| ticks <= 5_760));
            }
        });
    }
}
