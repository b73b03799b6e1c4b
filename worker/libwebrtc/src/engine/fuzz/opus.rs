//! Opus packets of the peer, through everything a paced stream does with them: measure, decode, rebuild, conceal.

use super::{Script, damage};
use crate::audio::opus::{Decoder, Effort, Encoder, Format, duration_ticks};

/// Packets of our own encoder: 10, 20 and 60 ms, mono and stereo, with and without FEC, silence.
pub(super) fn packets() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for (sample_rate, channels) in [(8_000, 1), (24_000, 1), (48_000, 1), (48_000, 2)] {
        let format = Format {
            sample_rate,
            channels,
        };
        for (bitrate, loss_percent) in [(Some(6_000), 30), (Some(24_000), 0), (Some(128_000), 10)] {
            let effort = Effort {
                bitrate,
                complexity: 5,
                dtx: true,
                loss_percent,
            };
            let mut encoder = Encoder::new(format, effort).unwrap();
            for millis in [10, 20, 60, 20] {
                let wave = |n: usize| ((n * n / 7) % 20_000) as i16 - 10_000;
                let pcm: Vec<i16> = (0..format.samples(millis)).map(wave).collect();
                packets.push(encoder.encode(&pcm).unwrap().to_vec());
            }
            packets.push(
                encoder
                    .encode(&vec![0; format.samples(20)])
                    .unwrap()
                    .to_vec(),
            );
        }
    }
    packets
}

/// Longest packet: 120 ms.
const LONGEST: u32 = 5_760;

#[test]
fn a_packet_is_decoded_or_refused() {
    let real = packets();
    let formats = [
        (24_000, 1),
        (48_000, 2),
        (8_000, 1),
        (48_000, 1),
        (16_000, 2),
    ];
    bolero::check!().for_each(|input: &[u8]| {
        let mut script = Script(input);
        let (sample_rate, channels) = *script.pick(&formats);
        let format = Format {
            sample_rate,
            channels,
        };
        let mut decoder = Decoder::new(format).unwrap();
        let mut pcm = Vec::new();
        while !script.is_over() {
            let how = script.below(8);
            let packet = match how {
                0 => {
                    let length = script.below(1_500);
                    script.bytes(length).to_vec()
                }
                _ => damage(&real, &mut script),
            };
            // No byte more than the packet: so the sanitizer sees a read beyond its end.
            let packet = packet.into_boxed_slice();
            assert!(duration_ticks(&packet).is_none_or(|ticks| ticks <= LONGEST));
            let ticks = u32::from(script.word()) % (LONGEST + 1);
            pcm.clear();
            // An error is an answer, too.
            let _ = match how {
                1 => decoder.rebuild(&packet, ticks, &mut pcm),
                2 => decoder.conceal(ticks, &mut pcm),
                3 => {
                    decoder.reset();
                    decoder.decode(&packet, &mut pcm)
                }
                _ => decoder.decode(&packet, &mut pcm),
            };
            assert!(pcm.len() <= format.samples(120));
        }
    });
}
