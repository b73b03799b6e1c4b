//! Pictures of a remote track. There is no decoder, so a stream ends at once.

/// What upstream offers outside browsers.
pub mod native {
    use std::{
        fmt,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio_stream::Stream;

    use crate::{
        native::packet_trailer::PacketTrailerHandler, video_frame::BoxVideoFrame,
        video_track::RtcVideoTrack,
    };

    /// How a stream queues pictures.
    #[derive(Clone, Debug, Default)]
    pub struct NativeVideoStreamOptions {
        /// Upstream's queue length; there is no queue here.
        pub queue_size_frames: Option<usize>,
    }

    /// A stream that yields no picture and ends at once.
    pub struct NativeVideoStream {
        track: RtcVideoTrack,
    }

    impl NativeVideoStream {
        /// A stream of `video_track`.
        pub fn new(video_track: RtcVideoTrack) -> Self {
            Self { track: video_track }
        }

        /// A stream of `video_track`; the options change nothing.
        pub fn with_options(
            video_track: RtcVideoTrack,
            _options: NativeVideoStreamOptions,
        ) -> Self {
            Self::new(video_track)
        }

        /// Ignored: no frame carries a trailer.
        pub fn set_packet_trailer_handler(&self, _handler: PacketTrailerHandler) {}

        /// The track given at creation.
        pub fn track(&self) -> RtcVideoTrack {
            self.track.clone()
        }

        /// Does nothing: the stream is over already.
        pub fn close(&mut self) {}
    }

    impl Stream for NativeVideoStream {
        type Item = BoxVideoFrame;

        fn poll_next(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            Poll::Ready(None)
        }
    }

    impl fmt::Debug for NativeVideoStream {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("NativeVideoStream")
                .field("track", &self.track)
                .finish()
        }
    }
}
