//! Adapter: a participant that sounds all the time and notes when each packet of the other arrives.
//! When the room library gives up, it joins again, as an application does.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use libwebrtc::ext;
use livekit::{options::TrackPublishOptions, prelude::*};
use tests::{
    clips::SAMPLE_RATE,
    livekit_server::Pass,
    microphone::{self, Microphone},
};
use tokio::{sync::mpsc, task::JoinSet};

use crate::Result;

/// Time of a frame.
const FRAME: Duration = Duration::from_millis(10);
/// Pause before the room is knocked at again.
const RETURN: Duration = Duration::from_millis(250);
/// How long a room that is lost may take to be closed.
const CLOSING: Duration = Duration::from_secs(3);
/// Packets that wait to be noted; they are noted at once.
const WAITING: usize = 1_024;

/// One of the two.
pub(crate) struct Peer {
    notes: Notes,
    _tasks: JoinSet<()>,
}

/// What a peer noticed.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Noticed>>);

#[derive(Default)]
struct Noticed {
    arrivals: Vec<Instant>,
    /// The room library's own repairs that began.
    repairs: u64,
    /// How often it gave up, so that the room was joined again.
    returns: u64,
}

impl Peer {
    /// Joins and begins to sound.
    pub(crate) async fn join(url: &str, name: &str) -> Result<Self> {
        let voice = Microphone::new(0);
        let who = Who {
            url: url.to_owned(),
            token: Pass::of(name, "heal").token(),
            voice: voice.clone(),
        };
        let joined = who.enter().await?;
        let notes = Notes::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(sound(voice));
        tasks.spawn(stay(who, joined, notes.clone()));
        Ok(Self {
            notes,
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

    /// How often the room was joined again because the room library had given up.
    pub(crate) fn returns(&self) -> u64 {
        self.lock().returns
    }
}

async fn sound(voice: Microphone) {
    let mut pace = tokio::time::interval(FRAME);
    let mut angle = 0.0f32;
    loop {
        pace.tick().await;
        let data: Vec<i16> = (0..microphone::FRAME)
            .map(|_| {
                angle += std::f32::consts::TAU * 440.0 / SAMPLE_RATE as f32;
                (angle.sin() * 8_000.0) as i16
            })
            .collect();
        angle %= std::f32::consts::TAU;
        let _ = voice.capture(&data).await;
    }
}

/// Who joins, and what is published.
struct Who {
    url: String,
    token: String,
    voice: Microphone,
}

type Joined = (Room, mpsc::UnboundedReceiver<RoomEvent>);

impl Who {
    async fn enter(&self) -> Result<Joined> {
        let joined = Room::connect(&self.url, &self.token, RoomOptions::default()).await?;
        let options = TrackPublishOptions {
            red: false,
            ..microphone::without_dtx()
        };
        self.voice.again().publish(&joined.0, options).await?;
        Ok(joined)
    }

    /// Until it is let in.
    async fn enter_again(&self) -> Joined {
        loop {
            match self.enter().await {
                Ok(joined) => return joined,
                Err(_) => tokio::time::sleep(RETURN).await,
            }
        }
    }
}

async fn stay(who: Who, (mut room, mut events): Joined, notes: Notes) {
    loop {
        watch(&mut events, &notes).await;
        notes.lock().returns += 1;
        let _ = tokio::time::timeout(CLOSING, room.close()).await;
        (room, events) = who.enter_again().await;
    }
}

/// Until the room library gives up.
async fn watch(events: &mut mpsc::UnboundedReceiver<RoomEvent>, notes: &Notes) {
    let mut ears = JoinSet::new();
    while let Some(event) = events.recv().await {
        match event {
            RoomEvent::TrackSubscribed {
                track: RemoteTrack::Audio(track),
                ..
            } => drop(ears.spawn(listen(track, notes.clone()))),
            RoomEvent::Reconnecting => notes.lock().repairs += 1,
            RoomEvent::Disconnected { .. } => return,
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
