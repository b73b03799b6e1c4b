//! Where the sound of a local track comes from.

/// Rate of sources that do not choose one, in Hz.
pub const DEFAULT_SAMPLE_RATE: u32 = 48_000;
/// Channels of sources that do not choose a number.
pub const DEFAULT_NUM_CHANNELS: u32 = 1;

/// Processing of captured sound. Kept and reported; nothing here processes it.
#[derive(Default, Debug)]
pub struct AudioSourceOptions {
    /// Remove what the loudspeaker plays.
    pub echo_cancellation: bool,
    /// Remove noise.
    pub noise_suppression: bool,
    /// Even out the loudness.
    pub auto_gain_control: bool,
}

/// A source of any platform.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum RtcAudioSource {
    /// Fed by the application.
    Native(native::NativeAudioSource),
    /// The recording device; a silent one.
    Device,
}

impl RtcAudioSource {
    /// Replaces the processing options.
    pub fn set_audio_options(&self, options: AudioSourceOptions) {
        if let Self::Native(source) = self {
            source.set_audio_options(options);
        }
    }

    /// The processing options.
    pub fn audio_options(&self) -> AudioSourceOptions {
        match self {
            Self::Native(source) => source.audio_options(),
            Self::Device => AudioSourceOptions::default(),
        }
    }

    /// Samples per second and channel.
    pub fn sample_rate(&self) -> u32 {
        match self {
            Self::Native(source) => source.sample_rate(),
            Self::Device => DEFAULT_SAMPLE_RATE,
        }
    }

    /// 1 for mono, 2 for stereo.
    pub fn num_channels(&self) -> u32 {
        match self {
            Self::Native(source) => source.num_channels(),
            Self::Device => DEFAULT_NUM_CHANNELS,
        }
    }
}

/// What upstream offers outside browsers.
pub mod native {
    use std::{fmt, sync::Arc};

    use parking_lot::Mutex;

    use super::AudioSourceOptions;
    use crate::{RtcError, audio::source::CaptureSource, audio_frame::AudioFrame};

    /// A source fed by the application; clones name the same source.
    #[derive(Clone)]
    pub struct NativeAudioSource {
        pub(crate) inner: Arc<CaptureSource>,
        /// Echo cancellation, noise suppression, gain control.
        options: Arc<Mutex<[bool; 3]>>,
    }

    impl NativeAudioSource {
        /// Makes a source.
        ///
        /// With `queue_size_ms` 0 nothing is queued: each frame must last exactly 10 ms and is
        /// encoded and sent within the call as soon as 20 ms are there; the caller sets the pace.
        /// Otherwise a queue of that many milliseconds is emptied in real time, with silence when
        /// it is empty.
        ///
        /// # Panics
        /// When `queue_size_ms` is not a multiple of 10.
        pub fn new(
            options: AudioSourceOptions,
            sample_rate: u32,
            num_channels: u32,
            queue_size_ms: u32,
        ) -> Self {
            assert!(
                queue_size_ms.is_multiple_of(10),
                "queue_size_ms must be a multiple of 10"
            );
            let source = Self {
                inner: CaptureSource::new(sample_rate, num_channels, queue_size_ms),
                options: Arc::default(),
            };
            source.set_audio_options(options);
            source
        }

        /// Drops everything that is not encoded yet, a half-filled packet included.
        pub fn clear_buffer(&self) {
            self.inner.clear();
        }

        /// Takes a frame. A queued source makes the caller wait while more than its queue size is
        /// buffered.
        ///
        /// # Errors
        /// [`InvalidState`](crate::RtcErrorType::InvalidState) when rate or channels differ from
        /// the source's, when an unqueued frame does not last 10 ms, or when another call waits.
        pub async fn capture_frame(&self, frame: &AudioFrame<'_>) -> Result<(), RtcError> {
            self.inner
                .capture(&frame.data, frame.sample_rate, frame.num_channels)
                .await
                .map_err(|error| RtcError::invalid_state(error.to_string()))
        }

        /// Replaces the processing options.
        pub fn set_audio_options(&self, options: AudioSourceOptions) {
            *self.options.lock() = [
                options.echo_cancellation,
                options.noise_suppression,
                options.auto_gain_control,
            ];
        }

        /// The processing options.
        pub fn audio_options(&self) -> AudioSourceOptions {
            let [echo_cancellation, noise_suppression, auto_gain_control] = *self.options.lock();
            AudioSourceOptions {
                echo_cancellation,
                noise_suppression,
                auto_gain_control,
            }
        }

        /// Samples per second and channel.
        pub fn sample_rate(&self) -> u32 {
            self.inner.sample_rate()
        }

        /// 1 for mono, 2 for stereo.
        pub fn num_channels(&self) -> u32 {
            self.inner.channels()
        }
    }

    impl fmt::Debug for NativeAudioSource {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("NativeAudioSource").finish()
        }
    }
}
