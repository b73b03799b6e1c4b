//! Core: what people say, encoded once and sent in a loop.

use std::time::Duration;

use tests::{
    clips::{self, SAMPLE_RATE, samples_in},
    ears,
};

use crate::Result;

/// How long a packet sounds.
pub(crate) const PACKET: Duration = Duration::from_millis(20);
/// Samples of a packet.
pub(crate) const PACKET_SAMPLES: usize = SAMPLE_RATE as usize / 50;
/// As the worker encodes a voice.
const COMPLEXITY: i32 = 5;
const BITRATE: i32 = 24_000;
/// Of speech, as a microphone measures it; of silence.
const SPEECH_LEVEL: i8 = -25;
const SILENCE_LEVEL: i8 = -127;
/// A microphone that hears nothing sends one packet in so many: every 400 ms.
const DTX_PACKETS: usize = 20;
/// By then the encoder has noticed that nobody speaks.
const SETTLED: usize = 100;
/// Kept around a sentence, so that soft beginnings and ends survive.
const MARGIN: Duration = Duration::from_millis(40);

/// Packets of 20 ms; `None` = nothing is sent in its place.
#[derive(Debug)]
pub(crate) struct Recording {
    packets: Vec<Option<Vec<u8>>>,
    level: i8,
}

impl Recording {
    /// One sentence after the other, with hardly a pause between them, which is sent, too.
    pub(crate) fn speech() -> Result<Self> {
        let mut encoder = encoder()?;
        let pcm = speech();
        let packets = pcm
            .chunks_exact(PACKET_SAMPLES)
            .map(|frame| encoder.encode_vec(frame, LONGEST).map(Some));
        Ok(Self {
            packets: packets.collect::<std::result::Result<_, _>>()?,
            level: SPEECH_LEVEL,
        })
    }

    /// What a microphone sends while nobody speaks.
    pub(crate) fn silence() -> Result<Self> {
        let mut encoder = encoder()?;
        encoder.set_dtx(true)?;
        let mut packet = Vec::new();
        for _ in 0..SETTLED {
            let next = encoder.encode_vec(&[0; PACKET_SAMPLES], LONGEST)?;
            // The smallest one is one without sound.
            if packet.is_empty() || next.len() <= packet.len() {
                packet = next;
            }
        }
        let mut packets = vec![None; DTX_PACKETS];
        packets[0] = Some(packet);
        Ok(Self {
            packets,
            level: SILENCE_LEVEL,
        })
    }

    /// The packet of this place in the loop.
    pub(crate) fn packet(&self, place: usize) -> Option<&[u8]> {
        self.packets[place % self.packets.len()].as_deref()
    }

    /// How loud it is, in dBov.
    pub(crate) fn level(&self) -> i8 {
        self.level
    }
}

/// The sound of the loop: whole packets.
pub(crate) fn speech() -> Vec<i16> {
    let mut pcm = Vec::new();
    for clip in clips::of_callers() {
        let begin = ears::first_sound(&clip.pcm, Duration::ZERO).unwrap_or_default();
        let from = samples_in(begin.saturating_sub(MARGIN));
        let to = samples_in(ears::silent_from(&clip.pcm) + MARGIN).min(clip.pcm.len());
        pcm.extend_from_slice(&clip.pcm[from..to]);
    }
    pcm.truncate(pcm.len() / PACKET_SAMPLES * PACKET_SAMPLES);
    pcm
}

/// Bytes; a packet of these bitrates is a tenth of it.
const LONGEST: usize = 1_276;

fn encoder() -> Result<opus::Encoder> {
    let application = opus::Application::Voip;
    let mut encoder = opus::Encoder::new(SAMPLE_RATE, opus::Channels::Mono, application)?;
    encoder.set_signal(opus::Signal::Voice)?;
    encoder.set_complexity(COMPLEXITY)?;
    encoder.set_bitrate(opus::Bitrate::Bits(BITRATE))?;
    Ok(encoder)
}
