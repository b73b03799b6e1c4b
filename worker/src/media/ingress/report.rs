//! What the ears tell of sound that was late, lost or too much.

use super::Listening;
use crate::{
    media::FRAME_SAMPLES,
    telemetry::event::{self, AudioStage},
};

/// So many samples are heard by nobody.
pub(super) fn drop_frames(samples: usize) {
    let frames = (samples / FRAME_SAMPLES) as u64;
    if frames > 0 {
        let stage = AudioStage::Ear;
        event::AudioDropped { stage, frames }.emit();
    }
}

/// What the network did to one ear since the last report.
pub(super) fn report(listening: &mut Listening) {
    let counts = listening.ear.take_counts();
    if let Some(held) = listening.ear.take_held() {
        event::HeldBack { held }.emit();
    }
    if counts.dropped > 0 {
        event::AudioDropped {
            stage: AudioStage::Ear,
            frames: counts.dropped,
        }
        .emit();
    }
    if counts.concealed > 0 {
        event::AudioConcealed {
            frames: counts.concealed,
        }
        .emit();
    }
    if let Some(waited) = counts.waited {
        event::GapWaited { waited }.emit();
    }
    let frames = listening.tap.take_dropped();
    if frames > 0 {
        event::AudioDropped {
            stage: AudioStage::Tap,
            frames,
        }
        .emit();
    }
}
