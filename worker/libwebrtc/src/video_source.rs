//! Where pictures would come from. A source can be made and fed; what it gets goes nowhere.

/// Size of a picture.
#[derive(Debug, Clone)]
pub struct VideoResolution {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

impl Default for VideoResolution {
    /// 1280 × 720.
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
        }
    }
}

/// What the network asks of an application that encodes by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncodedRateControl {
    /// Bits per second.
    pub target_bitrate_bps: u64,
    /// Pictures per second.
    pub framerate_fps: f64,
}

/// A source of any platform.
#[non_exhaustive]
#[derive(Debug, Clone)]
pub enum RtcVideoSource {
    /// Fed by the application.
    Native(native::NativeVideoSource),
}

impl RtcVideoSource {
    /// The size given at creation.
    pub fn video_resolution(&self) -> VideoResolution {
        match self {
            Self::Native(source) => source.video_resolution(),
        }
    }
}

/// What upstream offers outside browsers.
pub mod native {
    use std::fmt;

    use super::{EncodedRateControl, VideoResolution};
    use crate::{
        native::packet_trailer::PacketTrailerHandler,
        video_frame::{EncodedVideoFrame, VideoBuffer, VideoFrame},
    };

    /// A source fed by the application. There is no encoder behind it.
    #[derive(Clone)]
    pub struct NativeVideoSource {
        resolution: VideoResolution,
    }

    impl NativeVideoSource {
        /// A source of the given size.
        pub fn new(resolution: VideoResolution, _is_screencast: bool) -> Self {
            Self { resolution }
        }

        /// A source for pictures the application encodes.
        pub fn new_encoded(resolution: VideoResolution) -> Self {
            Self { resolution }
        }

        /// Answers `false`: the picture was not taken.
        pub fn capture_frame<T: AsRef<dyn VideoBuffer>>(&self, _frame: &VideoFrame<T>) -> bool {
            false
        }

        /// Answers `false`: the picture was not taken.
        pub fn capture_encoded_frame(&self, _frame: &EncodedVideoFrame<'_>) -> bool {
            false
        }

        /// Answers `false`: nobody asks for a key frame.
        pub fn take_keyframe_request(&self) -> bool {
            false
        }

        /// Answers `None`: nobody asks for a rate.
        pub fn take_rate_control_request(&self) -> Option<EncodedRateControl> {
            None
        }

        /// Ignored: no frame carries a trailer.
        pub fn set_packet_trailer_handler(&self, _handler: PacketTrailerHandler) {}

        /// The size given at creation.
        pub fn video_resolution(&self) -> VideoResolution {
            self.resolution.clone()
        }
    }

    impl Default for NativeVideoSource {
        fn default() -> Self {
            Self::new(VideoResolution::default(), false)
        }
    }

    impl fmt::Debug for NativeVideoSource {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("NativeVideoSource").finish()
        }
    }
}
