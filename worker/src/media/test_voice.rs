//! Sound for tests: a voice that speaks without end and says nothing.

use rand::{Rng, SeedableRng, rngs::StdRng};

/// A voice of 130 Hz, sample by sample.
pub(crate) use tests::voice::babble as voice;

/// So many samples of somebody who chats: syllables of chance, by a seed.
pub(crate) fn chatter(seed: u64, count: usize) -> Vec<i16> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut pcm = Vec::with_capacity(count);
    while pcm.len() < count {
        let pitch = rng.random_range(95.0..190.0);
        let formants = [
            rng.random_range(280.0..850.0),
            rng.random_range(900.0..2_600.0),
        ];
        let length = rng.random_range(2_000..6_500_usize);
        pcm.extend((0..length).map(|n| {
            let angle = n as f64 / 24_000.0 * std::f64::consts::TAU;
            let overtones = (1..22).map(f64::from).map(|k| {
                let near = |formant: f64| 1.0 / (1.0 + ((k * pitch - formant) / 120.0).powi(2));
                let gain: f64 = formants.iter().map(|formant| near(*formant)).sum();
                (angle * pitch * k).sin() * (gain + 0.01)
            });
            let along = n as f64 / length as f64;
            let swell = (along * std::f64::consts::PI).sin();
            (overtones.sum::<f64>() * 4_000.0 * swell) as i16
        }));
        if rng.random_bool(0.4) {
            pcm.resize(pcm.len() + rng.random_range(500..3_500), 0);
        }
    }
    pcm.truncate(count);
    pcm
}

/// Sends what it is given in packets of 20 ms.
#[cfg(feature = "our-engine")]
pub(crate) struct Microphone {
    encoder: opus::Encoder,
    sequence: u64,
}

#[cfg(feature = "our-engine")]
impl Microphone {
    pub(crate) fn new() -> Self {
        let mode = opus::Application::Voip;
        let encoder = opus::Encoder::new(24_000, opus::Channels::Mono, mode);
        Self {
            encoder: encoder.expect("an encoder"),
            sequence: 0,
        }
    }

    /// The packet of these 480 samples, which arrives now.
    pub(crate) fn packet(&mut self, pcm: &[i16]) -> super::Packet {
        let payload = self.encoder.encode_vec(pcm, 1_000).expect("a packet");
        let arrival = tokio::time::Instant::now().into_std();
        let timestamp = self.sequence as u32 * 960;
        let packet = super::Packet::new(self.sequence, timestamp, arrival, payload.into());
        self.sequence += 1;
        packet.expect("an Opus packet")
    }
}
