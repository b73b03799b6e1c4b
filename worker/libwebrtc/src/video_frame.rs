//! Pictures in memory. They can be made, filled and read; nothing here encodes, decodes, scales
//! or converts them, and what would is refused in the manner each method states.

use std::fmt;

use thiserror::Error;

use crate::video_source::VideoResolution;

/// A sink could not be attached.
#[derive(Debug, Error)]
pub enum SinkError {
    /// The platform refused.
    #[error("the platform refused the sink: {0}")]
    Platform(String),
}

/// How far a picture must be turned clockwise to stand upright.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum VideoRotation {
    /// Upright.
    VideoRotation0 = 0,
    /// A quarter turn.
    VideoRotation90 = 90,
    /// A half turn.
    VideoRotation180 = 180,
    /// Three quarters.
    VideoRotation270 = 270,
}

/// Order of the bytes of a packed pixel.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub enum VideoFormatType {
    /// Alpha, red, green, blue.
    ARGB,
    /// Blue, green, red, alpha.
    BGRA,
    /// Alpha, blue, green, red.
    ABGR,
    /// Red, green, blue, alpha.
    RGBA,
}

/// Memory layout of a picture.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VideoBufferType {
    /// A handle of the platform.
    Native,
    /// Three planes, 8 bit, chroma halved both ways.
    I420,
    /// As I420, with an alpha plane.
    I420A,
    /// Three planes, 8 bit, chroma halved across.
    I422,
    /// Three planes, 8 bit, full chroma.
    I444,
    /// As I420, with 10 bits in 16.
    I010,
    /// Two planes, 8 bit, chroma interleaved.
    NV12,
}

/// Data an application attaches to a picture.
#[derive(Debug, Clone)]
pub struct FrameMetadata {
    /// Capture time of the application's choice, in microseconds.
    pub user_timestamp: Option<u64>,
    /// Number of the application's choice.
    pub frame_id: Option<u32>,
    /// Bytes of the application's choice.
    pub user_data: Option<Vec<u8>>,
}

/// Codec of an encoded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodedVideoCodec {
    /// H.264.
    H264,
    /// H.265.
    H265,
    /// VP8.
    VP8,
    /// VP9.
    VP9,
    /// AV1.
    AV1,
}

/// Whether an encoded picture stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodedFrameType {
    /// It does.
    Key,
    /// It needs the ones before.
    Delta,
}

/// A picture the application encoded.
#[derive(Debug, Clone)]
pub struct EncodedVideoFrame<'a> {
    /// Its codec.
    pub codec: EncodedVideoCodec,
    /// One access unit.
    pub payload: &'a [u8],
    /// Capture time in microseconds.
    pub timestamp_us: i64,
    /// Key or delta.
    pub frame_type: EncodedFrameType,
    /// Its size.
    pub resolution: VideoResolution,
    /// What the application attached.
    pub frame_metadata: Option<FrameMetadata>,
}

/// A picture with its time.
#[derive(Debug)]
pub struct VideoFrame<T>
where
    T: AsRef<dyn VideoBuffer>,
{
    /// How to turn it.
    pub rotation: VideoRotation,
    /// Capture time in microseconds.
    pub timestamp_us: i64,
    /// What the application attached.
    pub frame_metadata: Option<FrameMetadata>,
    /// The picture.
    pub buffer: T,
}

impl<T: AsRef<dyn VideoBuffer>> VideoFrame<T> {
    /// A picture of time 0 without metadata.
    pub fn new(rotation: VideoRotation, buffer: T) -> Self {
        Self {
            rotation,
            timestamp_us: 0,
            frame_metadata: None,
            buffer,
        }
    }
}

/// Any picture.
pub type BoxVideoBuffer = Box<dyn VideoBuffer>;
/// Any picture with its time.
pub type BoxVideoFrame = VideoFrame<BoxVideoBuffer>;

mod sealed {
    /// Only this crate has picture types.
    pub trait Sealed: Send + Sync {}
}

/// What all layouts have in common.
pub trait VideoBuffer: sealed::Sealed + fmt::Debug {
    /// Width in pixels.
    fn width(&self) -> u32;
    /// Height in pixels.
    fn height(&self) -> u32;
    /// The layout.
    fn buffer_type(&self) -> VideoBufferType;
    /// This picture, if it is a platform handle.
    fn as_native(&self) -> Option<&native::NativeBuffer> {
        None
    }
    /// This picture, if it is I420.
    fn as_i420(&self) -> Option<&I420Buffer> {
        None
    }
    /// This picture, if it is I420A.
    fn as_i420a(&self) -> Option<&I420ABuffer> {
        None
    }
    /// This picture, if it is I422.
    fn as_i422(&self) -> Option<&I422Buffer> {
        None
    }
    /// This picture, if it is I444.
    fn as_i444(&self) -> Option<&I444Buffer> {
        None
    }
    /// This picture, if it is I010.
    fn as_i010(&self) -> Option<&I010Buffer> {
        None
    }
    /// This picture, if it is NV12.
    fn as_nv12(&self) -> Option<&NV12Buffer> {
        None
    }
}

/// One plane of a picture: rows of `stride` samples.
#[derive(Clone)]
struct Plane<S> {
    samples: Vec<S>,
    stride: u32,
}

impl<S: Copy> Plane<S> {
    fn new(stride: u32, rows: u32, value: S) -> Self {
        Self {
            samples: vec![value; stride as usize * rows as usize],
            stride,
        }
    }
}

/// Half of `length`, rounded up: the size of a halved chroma plane.
const fn half(length: u32) -> u32 {
    length.div_ceil(2)
}

macro_rules! buffer_traits {
    ($type:ident, $variant:ident, $cast:ident) => {
        impl sealed::Sealed for $type {}

        impl VideoBuffer for $type {
            fn width(&self) -> u32 {
                self.width
            }

            fn height(&self) -> u32 {
                self.height
            }

            fn buffer_type(&self) -> VideoBufferType {
                VideoBufferType::$variant
            }

            fn $cast(&self) -> Option<&$type> {
                Some(self)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type))
                    .field("width", &self.width)
                    .field("height", &self.height)
                    .finish()
            }
        }

        impl AsRef<dyn VideoBuffer> for $type {
            fn as_ref(&self) -> &(dyn VideoBuffer + 'static) {
                self
            }
        }
    };
}

macro_rules! planar_buffer {
    ($(#[$doc:meta])* $type:ident, $variant:ident, $cast:ident, $sample:ty, $chroma_width:expr, $chroma_height:expr) => {
        $(#[$doc])*
        pub struct $type {
            width: u32,
            height: u32,
            y: Plane<$sample>,
            u: Plane<$sample>,
            v: Plane<$sample>,
        }

        buffer_traits!($type, $variant, $cast);

        impl $type {
            /// A picture of zeros whose rows are `stride` samples apart.
            ///
            /// # Panics
            /// When a stride is shorter than a row.
            pub fn with_strides(
                width: u32,
                height: u32,
                stride_y: u32,
                stride_u: u32,
                stride_v: u32,
            ) -> Self {
                let chroma_width = $chroma_width(width);
                assert!(stride_y >= width && stride_u.min(stride_v) >= chroma_width, "a stride is at least one row");
                let rows = $chroma_height(height);
                Self {
                    width,
                    height,
                    y: Plane::new(stride_y, height, 0),
                    u: Plane::new(stride_u, rows, 0),
                    v: Plane::new(stride_v, rows, 0),
                }
            }

            /// A picture of zeros without padding.
            pub fn new(width: u32, height: u32) -> Self {
                let chroma = $chroma_width(width);
                Self::with_strides(width, height, width, chroma, chroma)
            }

            /// Width of a chroma plane in samples.
            pub fn chroma_width(&self) -> u32 {
                $chroma_width(self.width)
            }

            /// Height of a chroma plane in rows.
            pub fn chroma_height(&self) -> u32 {
                $chroma_height(self.height)
            }

            /// Strides of the planes Y, U and V, in samples.
            pub fn strides(&self) -> (u32, u32, u32) {
                (self.y.stride, self.u.stride, self.v.stride)
            }

            /// The planes Y, U and V.
            pub fn data(&self) -> (&[$sample], &[$sample], &[$sample]) {
                (&self.y.samples, &self.u.samples, &self.v.samples)
            }

            /// The planes Y, U and V, to be filled.
            pub fn data_mut(&mut self) -> (&mut [$sample], &mut [$sample], &mut [$sample]) {
                (&mut self.y.samples, &mut self.u.samples, &mut self.v.samples)
            }
        }
    };
}

const fn whole(length: u32) -> u32 {
    length
}

planar_buffer!(
    /// Three 8-bit planes, chroma halved both ways.
    I420Buffer, I420, as_i420, u8, half, half
);
planar_buffer!(
    /// Three 8-bit planes, chroma halved across.
    I422Buffer, I422, as_i422, u8, half, whole
);
planar_buffer!(
    /// Three 8-bit planes with full chroma.
    I444Buffer, I444, as_i444, u8, whole, whole
);
planar_buffer!(
    /// Three planes of 10 bits in 16, chroma halved both ways.
    I010Buffer, I010, as_i010, u16, half, half
);

impl I420Buffer {
    /// A black picture without padding.
    pub fn new_black(width: u32, height: u32) -> Self {
        let mut picture = Self::new(width, height);
        picture.u.samples.fill(128);
        picture.v.samples.fill(128);
        picture
    }
}

/// Three 8-bit planes with alpha. Only a decoder makes these, so there are none.
pub struct I420ABuffer {
    width: u32,
    height: u32,
    picture: I420Buffer,
    alpha: Option<Plane<u8>>,
}

buffer_traits!(I420ABuffer, I420A, as_i420a);

impl I420ABuffer {
    /// Width of a chroma plane in samples.
    pub fn chroma_width(&self) -> u32 {
        self.picture.chroma_width()
    }

    /// Height of a chroma plane in rows.
    pub fn chroma_height(&self) -> u32 {
        self.picture.chroma_height()
    }

    /// Strides of the planes Y, U, V and alpha.
    pub fn strides(&self) -> (u32, u32, u32, u32) {
        let (y, u, v) = self.picture.strides();
        (y, u, v, self.alpha.as_ref().map_or(0, |alpha| alpha.stride))
    }

    /// The planes Y, U, V and alpha.
    #[expect(clippy::type_complexity, reason = "upstream's signature")]
    pub fn data(&self) -> (&[u8], &[u8], &[u8], Option<&[u8]>) {
        let (y, u, v) = self.picture.data();
        (
            y,
            u,
            v,
            self.alpha.as_ref().map(|alpha| alpha.samples.as_slice()),
        )
    }
}

/// Two 8-bit planes, chroma interleaved and halved both ways.
pub struct NV12Buffer {
    width: u32,
    height: u32,
    y: Plane<u8>,
    uv: Plane<u8>,
}

buffer_traits!(NV12Buffer, NV12, as_nv12);

impl NV12Buffer {
    /// A picture of zeros whose rows are `stride` bytes apart.
    ///
    /// # Panics
    /// When a stride is shorter than a row.
    pub fn with_strides(width: u32, height: u32, stride_y: u32, stride_uv: u32) -> Self {
        assert!(
            stride_y >= width && stride_uv >= 2 * half(width),
            "a stride is at least one row"
        );
        Self {
            width,
            height,
            y: Plane::new(stride_y, height, 0),
            uv: Plane::new(stride_uv, half(height), 0),
        }
    }

    /// A picture of zeros without padding.
    pub fn new(width: u32, height: u32) -> Self {
        Self::with_strides(width, height, width, 2 * half(width))
    }

    /// Width of the chroma plane in pairs.
    pub fn chroma_width(&self) -> u32 {
        half(self.width)
    }

    /// Height of the chroma plane in rows.
    pub fn chroma_height(&self) -> u32 {
        half(self.height)
    }

    /// Strides of the planes Y and UV.
    pub fn strides(&self) -> (u32, u32) {
        (self.y.stride, self.uv.stride)
    }

    /// The planes Y and UV.
    pub fn data(&self) -> (&[u8], &[u8]) {
        (&self.y.samples, &self.uv.samples)
    }

    /// The planes Y and UV, to be filled.
    pub fn data_mut(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut self.y.samples, &mut self.uv.samples)
    }
}

/// What upstream offers outside browsers.
pub mod native {
    use std::fmt;

    use super::{VideoBuffer, VideoBufferType, sealed};
    use crate::video_source::VideoResolution;

    /// Descriptor of a Linux DMA buffer.
    #[cfg(target_os = "linux")]
    pub type DmaBufFileDescriptor = std::os::fd::RawFd;

    /// Pixel layout of a DMA buffer.
    #[cfg(target_os = "linux")]
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum DmaBufPixelFormat {
        /// Two planes.
        NV12 = 0,
        /// Three planes.
        YUV420M = 1,
    }

    /// A picture behind a handle of the platform. The handle is kept, never opened.
    pub struct NativeBuffer {
        width: u32,
        height: u32,
        #[cfg(target_os = "linux")]
        dmabuf: DmaBufFileDescriptor,
    }

    buffer_traits!(NativeBuffer, Native, as_native);

    impl NativeBuffer {
        /// Remembers a DMA buffer; the caller keeps it open.
        #[cfg(target_os = "linux")]
        pub fn from_dmabuf(
            dmabuf_fd: DmaBufFileDescriptor,
            resolution: VideoResolution,
            _pixel_format: DmaBufPixelFormat,
        ) -> Self {
            Self {
                width: resolution.width,
                height: resolution.height,
                dmabuf: dmabuf_fd,
            }
        }

        /// The descriptor given at creation.
        #[cfg(target_os = "linux")]
        pub fn get_dmabuf_fd(&self) -> Option<DmaBufFileDescriptor> {
            Some(self.dmabuf)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_has_no_luma_and_neutral_chroma() {
        let picture = I420Buffer::new_black(5, 3);
        let (y, u, v) = picture.data();
        assert_eq!((y.len(), u.len(), v.len()), (15, 6, 6));
        assert!(y.iter().all(|&sample| sample == 0));
        assert!(u.iter().chain(v).all(|&sample| sample == 128));
    }

    #[test]
    fn a_boxed_picture_can_be_asked_for_its_layout() {
        let frame = BoxVideoFrame::new(
            VideoRotation::VideoRotation0,
            Box::new(NV12Buffer::new(4, 2)),
        );
        assert_eq!(frame.buffer.buffer_type(), VideoBufferType::NV12);
        assert!(frame.buffer.as_nv12().is_some() && frame.buffer.as_i420().is_none());
    }
}
