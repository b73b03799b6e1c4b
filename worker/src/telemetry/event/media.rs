//! Adapter: what happens to sound on its way through the worker.

use std::time::Duration;

use tracing::{debug, warn};

use crate::telemetry::{
    metrics::{metrics, observe},
    words::{AudioStage, SealFault},
};

/// Audio was dropped.
#[derive(Debug)]
pub struct AudioDropped {
    /// Where.
    pub stage: AudioStage,
    /// How many frames or packets of that stage.
    pub frames: u64,
}

impl AudioDropped {
    /// Counts.
    pub fn emit(self) {
        let family = &metrics().audio_dropped_frames_total;
        family
            .with_label_values(&[self.stage.as_str()])
            .inc_by(self.frames);
        debug!(
            stage = self.stage.as_str(),
            frames = self.frames,
            "audio dropped"
        );
    }
}

/// A gap held back what came after it.
#[derive(Debug)]
pub struct GapWaited {
    /// How long.
    pub waited: Duration,
}

impl GapWaited {
    /// Counts.
    pub fn emit(self) {
        observe(&metrics().audio_gap_wait_seconds, self.waited);
    }
}

/// A packet went from the socket to the model's queue.
#[derive(Debug)]
pub struct HeldBack {
    /// How long that took; behind a gap it waited.
    pub held: Duration,
}

impl HeldBack {
    /// Counts.
    pub fn emit(self) {
        observe(&metrics().rtc_jitter_buffer_delay_seconds, self.held);
    }
}

/// Frames were made up because their packets never came.
#[derive(Debug)]
pub struct AudioConcealed {
    /// 20 ms frames.
    pub frames: u64,
}

impl AudioConcealed {
    /// Counts.
    pub fn emit(self) {
        metrics().audio_concealed_frames_total.inc_by(self.frames);
    }
}

/// The outgoing queue ran dry in the middle of an item.
#[derive(Debug)]
pub struct PlayoutUnderrun;

impl PlayoutUnderrun {
    /// Counts.
    pub fn emit(self) {
        metrics().playout_underruns_total.inc();
    }
}

/// The media clock woke up too late.
#[derive(Debug)]
pub struct LateTicks {
    /// How often since the last report.
    pub ticks: u64,
}

impl LateTicks {
    /// Counts.
    pub fn emit(self) {
        metrics().media_late_ticks_total.inc_by(self.ticks);
    }
}

/// Somebody in an encrypted room is not understood.
#[derive(Debug)]
pub struct NotUnderstood {
    /// Why.
    pub fault: SealFault,
}

impl NotUnderstood {
    /// Logs and counts.
    pub fn emit(self) {
        let fault = self.fault.as_str();
        metrics()
            .seal_faults_total
            .with_label_values(&[fault])
            .inc();
        warn!(fault, "somebody is not understood: end-to-end encryption");
    }
}
