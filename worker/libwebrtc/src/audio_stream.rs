//! The sound of a remote track as an even sequence of 10 ms frames.

/// What upstream offers outside browsers.
pub mod native {
    use std::{
        fmt,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio_stream::Stream;

    use crate::{
        audio::paced::PacedStream, audio_frame::AudioFrame, audio_track::RtcAudioTrack,
        media_stream_track::RtcTrackState,
    };

    /// Frames of 10 ms a slow reader may fall behind when it does not say.
    const DEFAULT_QUEUE_FRAMES: usize = 10;

    /// How a stream queues frames.
    #[derive(Clone, Debug, Default)]
    pub struct NativeAudioStreamOptions {
        /// Frames of 10 ms a slow reader may fall behind before the oldest goes; `None` means 10,
        /// `Some(0)` no limit.
        pub queue_size_frames: Option<usize>,
    }

    /// A paced stream: concealed, resampled and mixed to the asked format. The remote track is
    /// decoded only while a stream is open. The stream ends with the track.
    pub struct NativeAudioStream {
        track: RtcAudioTrack,
        sample_rate: u32,
        num_channels: u32,
        /// `None` for a local track and one that is over: nothing to play.
        frames: Option<PacedStream>,
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
            sample_rate: i32,
            num_channels: i32,
            options: NativeAudioStreamOptions,
        ) -> Self {
            let sample_rate = sample_rate.clamp(8_000, 192_000).unsigned_abs();
            let num_channels = num_channels.max(1).unsigned_abs();
            let queue = options.queue_size_frames.unwrap_or(DEFAULT_QUEUE_FRAMES);
            let queue = (queue > 0).then_some(queue);
            let lives = audio_track.state() == RtcTrackState::Live;
            let remote = audio_track.inner.remote().filter(|_| lives);
            let frames = remote.map(|r| r.paced().open(sample_rate, num_channels, queue));
            Self {
                track: audio_track,
                sample_rate,
                num_channels,
                frames,
            }
        }

        /// The track given at creation.
        pub fn track(&self) -> RtcAudioTrack {
            self.track.clone()
        }

        /// Ends the stream.
        pub fn close(&mut self) {
            if let Some(frames) = &self.frames {
                frames.close();
            }
        }
    }

    impl Stream for NativeAudioStream {
        type Item = AudioFrame<'static>;

        fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let Some(frames) = &self.frames else {
                return Poll::Ready(None);
            };
            let (sample_rate, num_channels) = (self.sample_rate, self.num_channels);
            frames.poll_next(cx).map(|data| {
                data.map(|data| AudioFrame {
                    data: data.into(),
                    sample_rate,
                    num_channels,
                    samples_per_channel: sample_rate / 100,
                })
            })
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
