//! Adapter: base64 PCM16 (little-endian, mono, 24 kHz) ⇄ samples.
//!
//! A delta may end in the middle of a sample, so the decoder keeps the odd byte for the next delta
//! of the same item. Both directions reuse their scratch space. It knows neither events nor JSON.

use std::sync::LazyLock;

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurposeConfig, Simd},
};
use bytes::BytesMut;

use crate::media::Pcm;

/// Built once: it looks for the fastest instructions of this machine. Padding may be absent.
static ENGINE: LazyLock<Simd> = LazyLock::new(|| {
    Simd::standard(
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    )
});

/// The text is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) struct NotBase64;

/// Decodes the deltas of one connection.
#[derive(Debug, Default)]
pub(in crate::model) struct AudioDecoder {
    bytes: Vec<u8>,
    /// First half of a sample whose second half is in the next delta.
    odd: Option<u8>,
}

impl AudioDecoder {
    /// Another item begins: half a sample of the one before is worth nothing.
    pub(in crate::model) fn start_item(&mut self) {
        self.odd = None;
    }

    /// Decodes one delta; the result may be empty.
    pub(in crate::model) fn decode(&mut self, delta: &str) -> Result<Pcm, NotBase64> {
        self.bytes.clear();
        let held = self.odd.take();
        self.bytes.extend(held);
        if ENGINE.decode_vec(delta, &mut self.bytes).is_err() {
            self.odd = held;
            return Err(NotBase64);
        }
        let samples = self.bytes.chunks_exact(2);
        self.odd = samples.remainder().first().copied();
        let samples: Vec<i16> = samples
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        Ok(Pcm::from(samples))
    }
}

/// Encodes frames for the wire.
#[derive(Debug, Default)]
pub(in crate::model) struct AudioEncoder {
    bytes: Vec<u8>,
}

impl AudioEncoder {
    /// How many characters [`Self::encode`] will add for this many samples.
    pub(in crate::model) fn encoded_len(samples: usize) -> usize {
        (samples * 2).div_ceil(3) * 4
    }

    /// Appends the frames as one piece of base64.
    pub(in crate::model) fn encode(&mut self, frames: &[Pcm], text: &mut BytesMut) {
        self.bytes.clear();
        for frame in frames {
            self.bytes.extend(
                frame
                    .as_slice()
                    .iter()
                    .flat_map(|sample| sample.to_le_bytes()),
            );
        }
        let start = text.len();
        text.resize(start + Self::encoded_len(self.bytes.len() / 2), 0);
        let written = ENGINE.encode_slice(&self.bytes, &mut text[start..]);
        // It fits: padding is always written.
        text.truncate(start + written.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(bytes: &[u8]) -> String {
        ENGINE.encode(bytes)
    }

    #[test]
    fn what_is_encoded_decodes_to_the_same_samples() {
        let frames = [
            Pcm::from(vec![0, 1, -1, i16::MAX, i16::MIN]),
            Pcm::from((0..480).collect::<Vec<_>>()),
        ];
        let mut text = BytesMut::new();
        AudioEncoder::default().encode(&frames, &mut text);
        assert_eq!(text.len(), AudioEncoder::encoded_len(485));
        let text = str::from_utf8(&text).unwrap();
        let decoded = AudioDecoder::default().decode(text).unwrap();
        let expected: Vec<i16> = frames
            .iter()
            .flat_map(|frame| frame.as_slice().iter().copied())
            .collect();
        assert_eq!(decoded.as_slice(), expected);
    }

    #[test]
    fn a_sample_cut_between_two_deltas_is_put_together() {
        let bytes: Vec<u8> = [100_i16, -200, 300]
            .iter()
            .flat_map(|s| s.to_le_bytes())
            .collect();
        let mut decoder = AudioDecoder::default();
        let first = decoder.decode(&text_of(&bytes[..3])).unwrap();
        let second = decoder.decode(&text_of(&bytes[3..4])).unwrap();
        let third = decoder.decode(&text_of(&bytes[4..])).unwrap();
        assert_eq!(first.as_slice(), [100]);
        assert_eq!(second.as_slice(), [-200]);
        assert_eq!(third.as_slice(), [300]);
    }

    #[test]
    fn half_a_sample_does_not_leak_into_the_next_item() {
        let mut decoder = AudioDecoder::default();
        decoder.decode(&text_of(&[1, 2, 3])).unwrap();
        decoder.start_item();
        let next = decoder.decode(&text_of(&300_i16.to_le_bytes())).unwrap();
        assert_eq!(next.as_slice(), [300]);
    }

    #[test]
    fn garbage_is_refused_and_does_not_shift_what_follows() {
        let mut decoder = AudioDecoder::default();
        decoder.decode(&text_of(&[1, 2, 44])).unwrap();
        assert_eq!(decoder.decode("%%%%").err(), Some(NotBase64));
        assert_eq!(decoder.decode(&text_of(&[1])).unwrap().as_slice(), [300]);
        assert!(decoder.decode("").unwrap().as_slice().is_empty());
    }

    #[test]
    fn missing_padding_is_accepted() {
        let padded = text_of(&[1, 0, 2, 0]);
        let bare = padded.trim_end_matches('=');
        assert_ne!(bare, padded);
        assert_eq!(
            AudioDecoder::default().decode(bare).unwrap().as_slice(),
            [1, 2]
        );
    }
}
