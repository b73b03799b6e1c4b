//! Sound for tests: a voice that speaks without end and says nothing.

/// Sample `n` at 24 kHz of a voice of 130 Hz with one formant, in four syllables a second.
pub(crate) fn voice(n: usize) -> i16 {
    let angle = n as f64 / 24_000.0 * std::f64::consts::TAU;
    let pitch = 130.0 + 10.0 * (angle * 2.0).sin();
    let overtones = (1..24).map(f64::from).map(|k| {
        let formant = 1.0 / (1.0 + ((k * pitch - 600.0) / 400.0).powi(2));
        (angle * pitch * k).sin() * (formant + 0.05)
    });
    (overtones.sum::<f64>() * 4_000.0 * (1.0 + 0.6 * (angle * 4.0).sin())) as i16
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
