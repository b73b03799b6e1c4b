//! Adapter: real speech as Opus packets of 20 ms, with in-band FEC: what an engine of ours sends to
//! a server that reports loss.

use std::time::Duration;

use bytes::Bytes;
use tests::clips;

/// Samples of one packet.
const FRAME: usize = clips::SAMPLE_RATE as usize / 50;

/// Silence between two sentences.
const PAUSE: Duration = Duration::from_millis(400);

/// The callers' clips one after another.
pub(crate) fn pcm() -> Vec<i16> {
    let mut pcm = Vec::new();
    for clip in clips::of_callers() {
        pcm.extend_from_slice(&clip.pcm);
        pcm.resize(pcm.len() + clips::samples_in(PAUSE), 0);
    }
    pcm
}

/// The packets of [`pcm`].
///
/// # Errors
/// When the codec refuses its settings.
pub(crate) fn packets() -> Result<Vec<Bytes>, opus::Error> {
    let mode = opus::Application::Voip;
    let mut encoder = opus::Encoder::new(clips::SAMPLE_RATE, opus::Channels::Mono, mode)?;
    encoder.set_signal(opus::Signal::Voice)?;
    encoder.set_bitrate(opus::Bitrate::Bits(24_000))?;
    encoder.set_complexity(5)?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(20)?;
    pcm()
        .chunks_exact(FRAME)
        .map(|frame| encoder.encode_vec(frame, 1_276).map(Bytes::from))
        .collect()
}
