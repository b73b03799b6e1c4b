//! Adapter: the voice activity model; the only file that names its crate.
//!
//! It scores 16 ms of sound at a time. Does not decide what is speech: that is `ear/vad.rs`.

use earshot::Detector;

/// Samples per second the model was trained for.
pub(crate) const MODEL_RATE: u32 = 16_000;

/// Samples of one score: 16 ms.
pub(crate) const WINDOW: usize = 256;

/// The model and its memory of the last 50 ms; 8 KB.
pub(crate) struct VadModel(Box<Detector>);

impl VadModel {
    pub(crate) fn new() -> Self {
        Self(Detector::default_boxed())
    }

    /// How likely this is speech, 0 to 1. About 10 µs.
    pub(crate) fn score(&mut self, window: &[i16; WINDOW]) -> f32 {
        self.0.predict_i16(window)
    }

    /// Forgets what it heard.
    pub(crate) fn reset(&mut self) {
        self.0.reset();
    }
}

impl std::fmt::Debug for VadModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VadModel")
    }
}
