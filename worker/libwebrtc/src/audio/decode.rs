//! One remote track as an even sequence of 10 ms frames.
//!
//! Owns jitter buffer and decoder of one track, in the format its listeners need. Runs only when
//! asked for a frame. Does not know who listens.

use std::time::Instant;

use super::{
    fade::{EDGE_MILLIS, Fade},
    jitter_buffer::{JitterBuffer, Play, PlayCounts},
    opus::{CodecError, Decoder, Format},
    rtp::AudioPacket,
};

/// Ticks of the 48 kHz RTP clock in which an abrupt end is led out.
const EDGE_TICKS: u32 = 48 * EDGE_MILLIS;

/// Decodes one track for as long as somebody listens.
pub(crate) struct TrackDecoder {
    jitter: JitterBuffer,
    decoder: Decoder,
    fade: Fade,
    /// Decoded and not yet played; at most one packet plus one frame.
    ready: Vec<i16>,
}

impl TrackDecoder {
    pub(crate) fn new(format: Format) -> Result<Self, CodecError> {
        let decoder = Decoder::new(format)?;
        Ok(Self {
            jitter: JitterBuffer::new(),
            decoder,
            fade: Fade::new(format.sample_rate, format.channels),
            ready: Vec::new(),
        })
    }

    pub(crate) fn format(&self) -> Format {
        self.decoder.format()
    }

    /// Goes on in another format; what is held back stays.
    pub(crate) fn set_format(&mut self, format: Format) -> Result<(), CodecError> {
        self.decoder = Decoder::new(format)?;
        self.fade = Fade::new(format.sample_rate, format.channels);
        self.ready.clear();
        Ok(())
    }

    /// What was done so far.
    pub(crate) fn counts(&self) -> PlayCounts {
        self.jitter.counts()
    }

    /// Takes in one packet, in whatever order it came.
    pub(crate) fn insert(&mut self, packet: AudioPacket) {
        self.jitter.insert(packet);
    }

    /// Replaces `frame` by the next 10 ms.
    pub(crate) fn pull(&mut self, now: Instant, frame: &mut Vec<i16>) {
        let size = self.format().samples(10);
        self.fill(now, size);
        if self.jitter.sheds() {
            self.fill(now, 2 * size);
            let channels = self.format().channels as usize;
            merge(&mut self.ready, size, channels);
        }
        frame.clear();
        frame.extend(self.ready.drain(..size));
    }

    fn fill(&mut self, now: Instant, samples: usize) {
        while self.ready.len() < samples {
            let play = self.jitter.next(now);
            let start = self.ready.len();
            let result = match &play {
                Play::Conceal { ticks } => self.conceal(*ticks),
                Play::Packet(packet) => self.decoder.decode(&packet.payload, &mut self.ready),
                Play::Rebuild { next, ticks } => {
                    self.decoder.rebuild(next, *ticks, &mut self.ready)
                }
                Play::Reset => {
                    self.decoder.reset();
                    Ok(())
                }
                Play::Silence { ticks } => self.silence(*ticks),
            };
            if matches!(play, Play::Packet(_) | Play::Rebuild { .. }) {
                self.fade.real(&mut self.ready[start..]);
            }
            // A packet that is no Opus is a missing one; the next frame is asked for at once.
            if let Err(error) = result {
                tracing::debug!(%error, "packet not decoded");
            }
        }
    }

    fn conceal(&mut self, ticks: u32) -> Result<(), CodecError> {
        let start = self.ready.len();
        self.decoder.conceal(ticks, &mut self.ready)?;
        self.fade.made_up(&mut self.ready[start..]);
        Ok(())
    }

    /// Zeros, after a short end of what was heard.
    fn silence(&mut self, ticks: u32) -> Result<(), CodecError> {
        let (start, length) = (self.ready.len(), self.samples(ticks));
        let mut result = Ok(());
        if self.fade.is_audible() && ticks >= EDGE_TICKS {
            result = self.decoder.conceal(EDGE_TICKS, &mut self.ready);
            self.fade.lead_out(&mut self.ready[start..]);
        }
        self.fade.silence();
        self.ready.resize(start + length, 0);
        result
    }

    /// Samples of all channels in that many ticks, rounded down to whole frames.
    fn samples(&self, ticks: u32) -> usize {
        let format = self.format();
        let frames = u64::from(ticks) * u64::from(format.sample_rate) / 48_000;
        frames as usize * format.channels as usize
    }
}

/// Blends the first two frames of `size` samples into one.
fn merge(pcm: &mut Vec<i16>, size: usize, channels: usize) {
    let frames = (size / channels) as i32;
    for n in 0..size {
        let (old, new) = (i32::from(pcm[n]), i32::from(pcm[size + n]));
        let weight = (n / channels) as i32;
        pcm[n] = ((old * (frames - weight) + new * weight) / frames) as i16;
    }
    pcm.drain(size..2 * size);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::audio::encode::{EncoderSettings, TrackEncoder};

    const MONO: Format = Format {
        sample_rate: 24_000,
        channels: 1,
    };

    fn tone(count: usize) -> Vec<AudioPacket> {
        let start = Instant::now();
        let settings = EncoderSettings {
            first_timestamp: 0,
            ..Default::default()
        };
        let (mut encoder, mut out) = (TrackEncoder::new(settings), Vec::new());
        let step = 440.0 * std::f64::consts::TAU / 24_000.0;
        let pcm: Vec<i16> = (0..count * 480)
            .map(|n| ((n as f64 * step).sin() * 8e3) as i16)
            .collect();
        for (n, frame) in pcm.chunks(480).enumerate() {
            let now = start + Duration::from_millis(20) * n as u32;
            encoder.push(now, frame, 24_000, 1, &mut out);
        }
        let packet = |(n, packet): (usize, crate::audio::encode::EncodedPacket)| AudioPacket {
            sequence: n as u64,
            timestamp: packet.timestamp,
            arrival: start + Duration::from_millis(20) * n as u32,
            marker: packet.marker,
            audio_level: None,
            payload: packet.payload,
        };
        out.into_iter().enumerate().map(packet).collect()
    }

    fn play(format: Format, packets: Vec<AudioPacket>, lose: impl Fn(u64) -> bool) -> Vec<i16> {
        let mut decoder = TrackDecoder::new(format).unwrap();
        let (mut heard, mut frame) = (Vec::new(), Vec::new());
        for packet in packets {
            let now = packet.arrival;
            if !lose(packet.sequence) {
                decoder.insert(packet);
            }
            for tick in [0, 10] {
                decoder.pull(now + Duration::from_millis(tick), &mut frame);
                assert_eq!(frame.len(), format.samples(10));
                heard.extend_from_slice(&frame);
            }
        }
        heard
    }

    fn crossings(pcm: &[i16], channels: usize) -> usize {
        let left: Vec<_> = pcm.iter().step_by(channels).collect();
        left.windows(2)
            .filter(|pair| *pair[0] < 0 && *pair[1] >= 0)
            .count()
    }

    #[test]
    fn tone_keeps_its_pitch_in_every_format() {
        for sample_rate in [8_000, 24_000, 48_000] {
            for channels in [1, 2] {
                let format = Format {
                    sample_rate,
                    channels,
                };
                let heard = play(format, tone(100), |_| false);
                let found = crossings(&heard, channels as usize);
                assert!(
                    (855..=890).contains(&found),
                    "{format:?}: {found} in 1.98 s"
                );
            }
        }
    }

    #[test]
    fn one_packet_in_ten_lost_is_hardly_a_hole() {
        let heard = play(MONO, tone(100), |n| n % 10 == 5);
        let loud = |frame: &[i16]| frame.iter().any(|sample| sample.abs() > 1_000);
        let quiet = heard
            .chunks(240)
            .skip(6)
            .filter(|frame| !loud(frame))
            .count();
        assert!(quiet <= 2, "{quiet} frames without sound");
    }

    #[test]
    fn no_packet_upsets_the_even_sequence_of_frames() {
        let start = Instant::now();
        let mut state = 99_u64;
        let mut dice = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(7);
            state >> 33
        };
        let mut decoder = TrackDecoder::new(MONO).unwrap();
        let mut frame = Vec::new();
        for n in 0..3_000_u64 {
            let payload: Vec<u8> = (0..dice() % 40).map(|_| dice() as u8).collect();
            let odd = dice().is_multiple_of(10);
            decoder.insert(AudioPacket {
                sequence: if odd { dice() % 4_000 } else { n + dice() % 5 },
                timestamp: if odd {
                    dice() as u32
                } else {
                    n as u32 * 960 + dice() as u32 % 500
                },
                arrival: start + Duration::from_millis(20 * n + dice() % 50),
                marker: false,
                audio_level: None,
                payload: payload.into(),
            });
            for tick in [0, 10] {
                decoder.pull(start + Duration::from_millis(20 * n + tick), &mut frame);
                assert_eq!(frame.len(), 240);
            }
        }
        assert!(
            decoder.ready.len() < 24_000,
            "what is ready does not pile up"
        );
    }

    #[test]
    fn merged_frames_begin_with_the_first_and_end_with_the_second() {
        let mut pcm = vec![100; 20];
        pcm.extend([200; 20]);
        pcm.extend([7; 5]);
        merge(&mut pcm, 20, 2);
        assert_eq!(pcm.len(), 25);
        assert_eq!((pcm[0], pcm[1], pcm[19], pcm[20]), (100, 100, 190, 7));
    }
}
