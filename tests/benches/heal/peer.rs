//! Adapter: a participant that sounds all the time and notes when each packet of the other arrives.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use libwebrtc::ext;
use livekit::{
    options::TrackPublishOptions,
    prelude::*,
    webrtc::{
        audio_frame::AudioFrame,
        audio_source::{AudioSourceOptions, RtcAudioSource, native::NativeAudioSource},
    },
};
use tests::{clips::SAMPLE_RATE, livekit_server::Pass};
use tokio::{sync::mpsc, task::JoinSet};

use crate::Result;

/// 10 ms.
const FRAME: Duration = Duration::from_millis(10);
/// Packets that wait to be noted; they are noted at once.
const WAITING: usize = 1_024;

/// One of the two.
pub(crate) struct Peer {
    notes: Notes,
    _room: Arc<Room>,
    _tasks: JoinSet<()>,
}

/// What a peer noticed.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Noticed>>);

#[derive(Default)]
struct Noticed {
    arrivals: Vec<Instant>,
    /// The room library's own repairs: begun, and whether it gave up.
    repairs: u64,
    is_out: bool,
}

impl Peer {
    /// Joins and begins to sound.
    pub(crate) async fn join(url: &str, name: &str) -> Result<Self> {
        let token = Pass::of(name, "heal").token();
        let (room, events) = Room::connect(url, &token, RoomOptions::default()).await?;
        let room = Arc::new(room);
        let source = NativeAudioSource::new(AudioSourceOptions::default(), SAMPLE_RATE, 1, 0);
        let rtc = RtcAudioSource::Native(source.clone());
        let track = LocalAudioTrack::create_audio_track("sound", rtc);
        let options = TrackPublishOptions {
            source: TrackSource::Microphone,
            dtx: false,
            red: false,
            ..Default::default()
        };
        let local = room.local_participant();
        local
            .publish_track(LocalTrack::Audio(track), options)
            .await?;
        let notes = Notes::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(sound(source));
        tasks.spawn(watch(events, notes.clone()));
        Ok(Self {
            notes,
            _room: room,
            _tasks: tasks,
        })
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }
}

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Noticed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first packet that came after that moment.
    pub(crate) fn first_after(&self, moment: Instant) -> Option<Instant> {
        let noticed = self.lock();
        noticed.arrivals.iter().copied().find(|at| *at > moment)
    }

    /// The longest time without a packet between two moments.
    pub(crate) fn longest_gap(&self, from: Instant, to: Instant) -> Duration {
        let noticed = self.lock();
        let within = noticed.arrivals.iter().copied();
        let within = within.filter(|at| *at > from && *at < to);
        let mut last = from;
        let mut longest = Duration::ZERO;
        for at in within.chain([to]) {
            longest = longest.max(at.saturating_duration_since(last));
            last = at;
        }
        longest
    }

    /// Forgets packets, so that a long run stays small.
    pub(crate) fn forget(&self) {
        self.lock().arrivals.clear();
    }

    /// Repairs that the room library began so far.
    pub(crate) fn repairs(&self) -> u64 {
        self.lock().repairs
    }

    /// Has the room library given up?
    pub(crate) fn is_out(&self) -> bool {
        self.lock().is_out
    }
}

async fn sound(source: NativeAudioSource) {
    let mut pace = tokio::time::interval(FRAME);
    let samples = SAMPLE_RATE / 100;
    let mut angle = 0.0f32;
    loop {
        pace.tick().await;
        let data: Vec<i16> = (0..samples)
            .map(|_| {
                angle += std::f32::consts::TAU * 440.0 / SAMPLE_RATE as f32;
                (angle.sin() * 8_000.0) as i16
            })
            .collect();
        angle %= std::f32::consts::TAU;
        let frame = AudioFrame {
            data: data.into(),
            sample_rate: SAMPLE_RATE,
            num_channels: 1,
            samples_per_channel: samples,
        };
        let _ = source.capture_frame(&frame).await;
    }
}

async fn watch(mut events: mpsc::UnboundedReceiver<RoomEvent>, notes: Notes) {
    let mut ears = JoinSet::new();
    while let Some(event) = events.recv().await {
        match event {
            RoomEvent::TrackSubscribed {
                track: RemoteTrack::Audio(track),
                ..
            } => drop(ears.spawn(listen(track, notes.clone()))),
            RoomEvent::Reconnecting => notes.lock().repairs += 1,
            RoomEvent::Disconnected { .. } => notes.lock().is_out = true,
            _ => {}
        }
    }
}

async fn listen(track: RemoteAudioTrack, notes: Notes) {
    let Some(mut tap) = ext::tap_remote(&track.rtc_track(), WAITING) else {
        return;
    };
    while let Some(packet) = tap.recv().await {
        notes.lock().arrivals.push(packet.arrival);
    }
}
