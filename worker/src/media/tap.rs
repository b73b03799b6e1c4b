//! Adapter: what a participant's microphone sends, as it arrives.
//!
//! With our engine these are the track's Opus packets, the moment they come from the socket. With
//! upstream's engine (feature `our-engine` off) it is upstream's paced stream of decoded frames.
//! Does not order, decode or fill anything.

use livekit::track::RemoteAudioTrack;

use super::{Packet, Pcm};

/// One thing that came from a track.
#[derive(Debug)]
pub(crate) enum Heard {
    /// 10 ms that are decoded and paced already.
    #[cfg_attr(
        feature = "our-engine",
        expect(dead_code, reason = "only upstream's engine paces")
    )]
    Frame(Pcm),
    /// An Opus packet.
    #[cfg_attr(
        not(feature = "our-engine"),
        expect(dead_code, reason = "only our engine hands out packets")
    )]
    Packet(Packet),
}

/// The audio of one remote track; closed when dropped.
#[derive(Debug)]
pub struct Tap {
    inner: engine::Tap,
}

impl Tap {
    /// Listens to this track from now on; `None` when it has no audio to tap.
    pub fn open(track: &RemoteAudioTrack) -> Option<Self> {
        Some(Self {
            inner: engine::Tap::open(track)?,
        })
    }

    /// The next packet or frame; `None` when the track is over. Cancel-safe.
    pub(crate) async fn recv(&mut self) -> Option<Heard> {
        self.inner.recv().await
    }

    /// What was lost between engine and ear since the last question, because nobody read.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        self.inner.take_dropped()
    }

    /// A track of packets that a test feeds.
    #[cfg(all(test, feature = "our-engine"))]
    pub(crate) fn from_channel(packets: tokio::sync::mpsc::Receiver<Packet>) -> Self {
        Self {
            inner: engine::Tap::Test(packets),
        }
    }
}

#[cfg(feature = "our-engine")]
mod engine {
    use livekit::{track::RemoteAudioTrack, webrtc::ext};

    use super::Heard;
    use crate::media::Packet;

    // 64 packets, 1.3 s: a session that cannot keep up loses its oldest audio, counted.
    const CAPACITY: usize = 64;

    #[derive(Debug)]
    pub(super) enum Tap {
        Track {
            tap: ext::Tap,
            dropped: u64,
        },
        #[cfg(test)]
        Test(tokio::sync::mpsc::Receiver<Packet>),
    }

    impl Tap {
        pub(super) fn open(track: &RemoteAudioTrack) -> Option<Self> {
            let tap = ext::tap_remote(&track.rtc_track(), CAPACITY)?;
            Some(Self::Track { tap, dropped: 0 })
        }

        pub(super) async fn recv(&mut self) -> Option<Heard> {
            let tap = match self {
                Self::Track { tap, .. } => tap,
                #[cfg(test)]
                Self::Test(packets) => return packets.recv().await.map(Heard::Packet),
            };
            loop {
                let packet = tap.recv().await?;
                // What is no Opus packet is left out: a missing one, to those after it.
                if let Some(packet) = translate(packet) {
                    return Some(Heard::Packet(packet));
                }
            }
        }

        pub(super) fn take_dropped(&mut self) -> u64 {
            match self {
                Self::Track { tap, dropped } => {
                    let before = std::mem::replace(dropped, tap.dropped());
                    dropped.saturating_sub(before)
                }
                #[cfg(test)]
                Self::Test(_) => 0,
            }
        }
    }

    fn translate(packet: ext::Packet) -> Option<Packet> {
        Some(Packet {
            audio_level: packet.audio_level,
            ..Packet::new(
                packet.sequence,
                packet.timestamp,
                packet.arrival,
                packet.payload,
            )?
        })
    }
}

#[cfg(not(feature = "our-engine"))]
mod engine {
    use futures_util::StreamExt;
    use livekit::{
        track::RemoteAudioTrack,
        webrtc::audio_stream::native::{NativeAudioStream, NativeAudioStreamOptions},
    };

    use super::Heard;
    use crate::media::{Pcm, SAMPLE_RATE};

    // 2 s. Upstream's default of 100 ms drops audio whenever the reader is briefly late; its drops
    // cannot be counted from here.
    const QUEUE_FRAMES: usize = 200;

    #[derive(Debug)]
    pub(super) struct Tap {
        stream: NativeAudioStream,
    }

    impl Tap {
        pub(super) fn open(track: &RemoteAudioTrack) -> Option<Self> {
            let options = NativeAudioStreamOptions {
                queue_size_frames: Some(QUEUE_FRAMES),
            };
            let rate = i32::try_from(SAMPLE_RATE).ok()?;
            let stream = NativeAudioStream::with_options(track.rtc_track(), rate, 1, options);
            Some(Self { stream })
        }

        pub(super) async fn recv(&mut self) -> Option<Heard> {
            let frame = self.stream.next().await?;
            Some(Heard::Frame(Pcm::from(frame.data.into_owned())))
        }

        pub(super) fn take_dropped(&mut self) -> u64 {
            0
        }
    }
}
