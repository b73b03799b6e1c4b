//! Tracks: their flags, and where their sound goes to or comes from.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;

use super::{cryptor::Cryptor, tap::Taps};
use crate::{
    audio::{paced::PacedTrack, rtp::AudioPacket, source::CaptureSource},
    media_stream_track::RtcTrackState,
    native::packet_trailer::PacketTrailerHandler,
    video_source::native::NativeVideoSource,
};

/// What both kinds have in common.
struct Flags {
    id: String,
    enabled: AtomicBool,
    ended: AtomicBool,
}

impl Flags {
    fn new(id: String) -> Self {
        Self {
            id,
            enabled: AtomicBool::new(true),
            ended: AtomicBool::new(false),
        }
    }
}

macro_rules! flag_methods {
    () => {
        pub(crate) fn id(&self) -> &str {
            &self.flags.id
        }

        pub(crate) fn enabled(&self) -> bool {
            self.flags.enabled.load(Ordering::Acquire)
        }

        /// Answers whether that changed anything.
        pub(crate) fn set_enabled(&self, enabled: bool) -> bool {
            self.flags.enabled.swap(enabled, Ordering::AcqRel) != enabled
        }

        pub(crate) fn state(&self) -> RtcTrackState {
            match self.flags.ended.load(Ordering::Acquire) {
                true => RtcTrackState::Ended,
                false => RtcTrackState::Live,
            }
        }
    };
}

/// An audio track of either side.
pub(crate) struct AudioTrack {
    flags: Flags,
    media: Media,
}

enum Media {
    /// `source` is `None` for a device, which is silent.
    Local {
        source: Option<Arc<CaptureSource>>,
        taps: Taps,
    },
    Remote(RemoteAudio),
}

/// Where the packets of a remote track go.
#[derive(Default)]
pub(crate) struct RemoteAudio {
    /// A leaf.
    cryptor: Mutex<Option<Arc<Cryptor>>>,
    taps: Taps,
    paced: PacedTrack,
}

impl RemoteAudio {
    pub(crate) fn taps(&self) -> &Taps {
        &self.taps
    }

    pub(crate) fn paced(&self) -> &PacedTrack {
        &self.paced
    }

    /// Opens what comes from now on.
    pub(crate) fn set_cryptor(&self, cryptor: Arc<Cryptor>) {
        // What it owns may run code of its own when dropped: never under our lock.
        let _old = self.cryptor.lock().replace(cryptor);
    }

    /// Opens a packet in its place, when packets of this track are sealed; its length afterwards.
    /// `None` = it is not to be used.
    pub(crate) fn open(&self, packet: &mut Arc<[u8]>) -> Option<usize> {
        let cryptor = self.cryptor.lock().clone();
        cryptor.map_or(Some(packet.len()), |cryptor| cryptor.open(packet))
    }

    /// A packet came, in order of arrival. Must not block: the connection waits.
    pub(crate) fn on_packet(&self, packet: AudioPacket) {
        self.taps.push(&packet);
        self.paced.insert(packet);
    }
}

impl AudioTrack {
    flag_methods!();

    pub(crate) fn local(id: String, source: Arc<CaptureSource>) -> Arc<Self> {
        let media = Media::Local {
            source: Some(source),
            taps: Taps::default(),
        };
        Arc::new(Self {
            flags: Flags::new(id),
            media,
        })
    }

    pub(crate) fn device(id: String) -> Arc<Self> {
        let media = Media::Local {
            source: None,
            taps: Taps::default(),
        };
        Arc::new(Self {
            flags: Flags::new(id),
            media,
        })
    }

    pub(crate) fn new_remote(id: String) -> Arc<Self> {
        Arc::new(Self {
            flags: Flags::new(id),
            media: Media::Remote(RemoteAudio::default()),
        })
    }

    pub(crate) fn source(&self) -> Option<&Arc<CaptureSource>> {
        match &self.media {
            Media::Local { source, .. } => source.as_ref(),
            Media::Remote(_) => None,
        }
    }

    pub(crate) fn local_taps(&self) -> Option<&Taps> {
        match &self.media {
            Media::Local { taps, .. } => Some(taps),
            Media::Remote(_) => None,
        }
    }

    pub(crate) fn remote(&self) -> Option<&RemoteAudio> {
        match &self.media {
            Media::Local { .. } => None,
            Media::Remote(remote) => Some(remote),
        }
    }

    /// The remote track is over.
    pub(crate) fn end(&self) {
        self.flags.ended.store(true, Ordering::Release);
        if let Media::Remote(remote) = &self.media {
            remote.taps.end();
            remote.paced.end();
        }
    }
}

/// A video track: flags only.
pub(crate) struct VideoTrack {
    flags: Flags,
    pub(crate) trailer: Mutex<Option<PacketTrailerHandler>>,
}

impl VideoTrack {
    flag_methods!();

    pub(crate) fn local(id: String, _source: NativeVideoSource) -> Self {
        Self::new(id)
    }

    pub(crate) fn new(id: String) -> Self {
        Self {
            flags: Flags::new(id),
            trailer: Mutex::new(None),
        }
    }

    pub(crate) fn end(&self) {
        self.flags.ended.store(true, Ordering::Release);
    }
}
