//! Adapter: people who cost next to nothing: what they say was encoded before, and what they hear is not decoded.
//! Each is alone in a room with whom it talks to.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::{join_all, try_join_all};
use libwebrtc::ext;
use livekit::{options::TrackPublishOptions, prelude::*};
use tests::{
    livekit_server::{LivekitServer, Pass},
    microphone::Microphone,
    user::configure_engine,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::interval,
};

use crate::{
    Result,
    recording::{PACKET, Recording},
};

/// Microphones do not all send in the same moment.
const PHASES: usize = 4;
/// So many join at once.
const TOGETHER: usize = 8;
/// Who has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// What all of them say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// Their microphones hear nothing, and send what little one sends then.
    Nothing,
    /// One sentence after the other.
    Sentences,
    /// Every second of them does, beginning with the second; the others say nothing.
    Half,
}

/// Packets of all people since the process began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traffic {
    pub(crate) said: f64,
    pub(crate) heard: f64,
    at: Instant,
}

/// People in rooms of their own.
pub(crate) struct People {
    url: String,
    rooms: Vec<Room>,
    microphones: Arc<Mutex<Vec<Microphone>>>,
    says: watch::Sender<Says>,
    voices: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl People {
    /// Nobody yet.
    pub(crate) fn of(livekit: &LivekitServer) -> Result<Self> {
        configure_engine();
        let (says, asked) = watch::channel(Says::Nothing);
        let microphones = Arc::default();
        let mut tasks = JoinSet::new();
        let recordings = [Recording::silence()?, Recording::speech()?];
        tasks.spawn(talk(recordings, Arc::clone(&microphones), asked));
        Ok(Self {
            url: livekit.url(),
            rooms: Vec::new(),
            microphones,
            says,
            voices: Arc::default(),
            tasks,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.rooms.len()
    }

    /// Further people join; `pass` says who and where, from their number.
    pub(crate) async fn grow_to(
        &mut self,
        count: usize,
        pass: impl Fn(usize) -> Pass,
    ) -> Result<()> {
        while self.rooms.len() < count {
            let from = self.rooms.len();
            let to = count.min(from + TOGETHER);
            let joining = (from..to).map(|who| join(&self.url, pass(who)));
            for (room, events, microphone) in try_join_all(joining).await? {
                self.tasks.spawn(heed(events, Arc::clone(&self.voices)));
                self.rooms.push(room);
                let microphones = self.microphones.lock();
                microphones
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(microphone);
            }
        }
        Ok(())
    }

    pub(crate) fn say(&self, what: Says) {
        self.says.send_replace(what);
    }

    /// Waits until everybody was given the voice of whom they talk to.
    pub(crate) async fn hear_everybody(&self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.voices.load(Ordering::Relaxed) < self.rooms.len() {
            if Instant::now() > deadline {
                let (voices, rooms) = (self.voices.load(Ordering::Relaxed), self.rooms.len());
                return Err(format!("{voices} voices in {rooms} rooms").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub(crate) async fn leave(self) {
        join_all(self.rooms.iter().map(Room::close)).await;
    }
}

impl Traffic {
    pub(crate) fn now() -> Self {
        let counters = ext::counters();
        Self {
            said: counters.packets_sent as f64,
            heard: counters.packets_received as f64,
            at: Instant::now(),
        }
    }

    /// Per second since then: said and heard.
    pub(crate) fn since(self) -> (f64, f64) {
        let now = Self::now();
        let seconds = (now.at - self.at).as_secs_f64();
        (
            (now.said - self.said) / seconds,
            (now.heard - self.heard) / seconds,
        )
    }
}

type Joined = (Room, mpsc::UnboundedReceiver<RoomEvent>, Microphone);

async fn join(url: &str, pass: Pass) -> Result<Joined> {
    let (room, events) = Room::connect(url, &pass.token(), RoomOptions::default()).await?;
    let microphone = Microphone::new(0);
    microphone
        .publish(&room, TrackPublishOptions::default())
        .await?;
    Ok((room, events, microphone))
}

async fn heed(mut events: mpsc::UnboundedReceiver<RoomEvent>, voices: Arc<AtomicUsize>) {
    while let Some(event) = events.recv().await {
        match event {
            RoomEvent::TrackSubscribed { .. } => voices.fetch_add(1, Ordering::Relaxed),
            RoomEvent::TrackUnsubscribed { .. } => voices.fetch_sub(1, Ordering::Relaxed),
            _ => continue,
        };
    }
}

/// Sends for everybody, a quarter of them at a time.
async fn talk(
    [silence, speech]: [Recording; 2],
    microphones: Arc<Mutex<Vec<Microphone>>>,
    says: watch::Receiver<Says>,
) {
    let mut ticks = interval(PACKET / PHASES as u32);
    for tick in 0.. {
        ticks.tick().await;
        let says = *says.borrow();
        let microphones = microphones.lock().unwrap_or_else(PoisonError::into_inner);
        let of_phase = microphones.iter().enumerate().skip(tick % PHASES);
        for (who, microphone) in of_phase.step_by(PHASES) {
            let speaks = match says {
                Says::Nothing => false,
                Says::Sentences => true,
                Says::Half => who % 2 == 1,
            };
            let recording = if speaks { &speech } else { &silence };
            // Everybody is at another place of the story.
            if let Some(packet) = recording.packet(tick / PHASES + 37 * who) {
                microphone.send_encoded(packet, recording.level());
            }
        }
    }
}
