//! The program that is looked at when our engine is alone: sessions in rooms of their own, told what to do by JSON
//! lines on stdin, as `wheel.py` is. It ends with its stdin.
//!
//! A session does the media work of a worker and nothing else: 24 kHz mono in frames of 10 ms into a source without
//! a queue, and packets from the tap into a decoder. Each half can be done without the codec.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use libwebrtc::ext::{self, Tap};
use livekit::{
    options::{AudioEncoding, TrackPublishOptions},
    prelude::*,
};
use serde_json::{Value, json};
use tests::{
    clips::SAMPLE_RATE,
    microphone::{FRAME, Microphone},
    user::configure_engine,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::interval,
};

use crate::{
    Result,
    figures::Figure,
    recording::{self, PACKET, PACKET_SAMPLES, Recording},
};

/// Packets between engine and ear, as in the worker.
const TAP: usize = 64;
/// Not all sessions send in the same moment.
const PHASES: usize = 4;
/// So many join at once.
const TOGETHER: usize = 8;
/// Bits per second of a voice.
const BITRATE: u64 = 24_000;
/// Samples of the longest Opus packet, 120 ms.
const LONGEST: usize = 6 * PACKET_SAMPLES;

/// What all sessions do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Act {
    #[default]
    Rest,
    /// Frames are captured, encoded and sent.
    Encode,
    /// The same without the codec.
    Send,
    /// Packets are taken and decoded.
    Decode,
    /// The same without the codec.
    Take,
}

/// What the sessions noticed.
#[derive(Debug)]
struct Notes {
    /// A packet at our socket → its frame at the ear.
    up: Figure,
    /// A frame at the source → its packet sent.
    down: Figure,
    /// Frames that became no packet within the call.
    unsent: u64,
    /// Rooms that were left without our doing.
    lost: u64,
    /// Connections that had to be made anew.
    reconnecting: u64,
}

type Shared<T> = Arc<Mutex<T>>;

/// One that is spoken through.
#[derive(Clone)]
struct Mouth {
    microphone: Microphone,
    sent: Shared<Tap>,
}

struct Sessions {
    rooms: Vec<Room>,
    mouths: Shared<Vec<Mouth>>,
    act: watch::Sender<Act>,
    notes: Shared<Notes>,
    tasks: JoinSet<()>,
}

/// Does what it is told until nobody tells it anything any more.
pub(crate) async fn serve() -> Result<()> {
    configure_engine();
    let mut sessions = Sessions::new()?;
    let mut lines = orders();
    while let Some(line) = lines.recv().await {
        let order: Value = serde_json::from_str(&line)?;
        let answer = match sessions.obey(&order).await {
            Ok(answer) => answer,
            Err(error) => json!({ "error": error.to_string() }),
        };
        #[expect(clippy::print_stdout, reason = "whoever asked reads it there")]
        {
            println!("{answer}");
        }
    }
    Ok(())
}

/// Lines of stdin, read by a thread of their own. The one who orders waits for each answer.
fn orders() -> mpsc::Receiver<String> {
    let (orders, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(std::result::Result::ok) {
            if orders.blocking_send(line).is_err() {
                break;
            }
        }
    });
    lines
}

impl Sessions {
    fn new() -> Result<Self> {
        let act = watch::Sender::new(Act::Rest);
        let mouths = Shared::default();
        let notes = Arc::new(Mutex::new(Notes::new()));
        let mut tasks = JoinSet::new();
        let speaker = Speaker {
            pcm: recording::speech(),
            recording: Recording::speech()?,
            mouths: Arc::clone(&mouths),
            notes: Arc::clone(&notes),
        };
        tasks.spawn(speaker.run(act.subscribe()));
        Ok(Self {
            rooms: Vec::new(),
            mouths,
            act,
            notes,
            tasks,
        })
    }

    async fn obey(&mut self, order: &Value) -> Result<Value> {
        match order["do"].as_str() {
            Some("join") => self.join(order).await,
            Some("act") => {
                let act = Act::of(order["what"].as_str().unwrap_or_default())?;
                lock(&self.notes).forget_delays();
                self.act.send_replace(act);
                Ok(json!({}))
            }
            Some("tell") => Ok(lock(&self.notes).tell()),
            _ => Err("an unknown order".into()),
        }
    }

    async fn join(&mut self, order: &Value) -> Result<Value> {
        let url = order["url"].as_str().unwrap_or_default();
        let tokens: Vec<&str> = order["tokens"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for tokens in tokens.chunks(TOGETHER) {
            let joining = tokens.iter().map(|token| join(url, token));
            for (room, events, mouth) in try_join_all(joining).await? {
                let ear = (self.act.subscribe(), Arc::clone(&self.notes));
                self.tasks.spawn(heed(events, ear));
                self.rooms.push(room);
                lock(&self.mouths).push(mouth);
            }
        }
        Ok(json!({ "joined": self.rooms.len() }))
    }
}

impl Act {
    fn of(word: &str) -> Result<Self> {
        Ok(match word {
            "rest" => Self::Rest,
            "encode" => Self::Encode,
            "send" => Self::Send,
            "decode" => Self::Decode,
            "take" => Self::Take,
            _ => return Err(format!("`{word}` cannot be done").into()),
        })
    }
}

impl Notes {
    fn new() -> Self {
        Self {
            up: Figure::new("socket_to_ear", "ms", 3.0),
            down: Figure::new("source_to_socket", "ms", 3.0),
            unsent: 0,
            lost: 0,
            reconnecting: 0,
        }
    }

    fn forget_delays(&mut self) {
        let Self {
            lost, reconnecting, ..
        } = *self;
        *self = Self {
            lost,
            reconnecting,
            ..Self::new()
        };
    }

    fn tell(&self) -> Value {
        let told = |figure: &Figure| {
            json!({
                "n": figure.count(),
                "median": figure.quantile(0.5),
                "p95": figure.quantile(0.95),
                "p99": figure.quantile(0.99),
                "max": figure.quantile(1.0),
            })
        };
        json!({
            "up": told(&self.up),
            "down": told(&self.down),
            "unsent": self.unsent,
            "lost": self.lost,
            "reconnecting": self.reconnecting,
            "connections": ext::counters().connections,
        })
    }
}

type Joined = (Room, mpsc::UnboundedReceiver<RoomEvent>, Mouth);

/// As the worker does, but for its data.
async fn join(url: &str, token: &str) -> Result<Joined> {
    let mut options = RoomOptions::default();
    options.adaptive_stream = false;
    options.dynacast = false;
    let (room, events) = Room::connect(url, token, options).await?;
    let microphone = Microphone::new(0);
    let sent = Arc::new(Mutex::new(microphone.tap(TAP)));
    let encoding = AudioEncoding {
        max_bitrate: BITRATE,
    };
    let options = TrackPublishOptions {
        audio_encoding: Some(encoding),
        dtx: false,
        red: false,
        ..TrackPublishOptions::default()
    };
    microphone.publish(&room, options).await?;
    Ok((room, events, Mouth { microphone, sent }))
}

type Ear = (watch::Receiver<Act>, Shared<Notes>);

async fn heed(mut events: mpsc::UnboundedReceiver<RoomEvent>, (act, notes): Ear) {
    let mut ears = JoinSet::new();
    while let Some(event) = events.recv().await {
        match event {
            RoomEvent::TrackSubscribed {
                track: RemoteTrack::Audio(track),
                ..
            } => {
                if let Some(tap) = ext::tap_remote(&track.rtc_track(), TAP) {
                    ears.spawn(listen(tap, act.clone(), Arc::clone(&notes)));
                }
            }
            RoomEvent::Disconnected { .. } => lock(&notes).lost += 1,
            RoomEvent::Reconnecting => lock(&notes).reconnecting += 1,
            _ => {}
        }
    }
}

async fn listen(mut tap: Tap, act: watch::Receiver<Act>, notes: Shared<Notes>) {
    let Ok(mut decoder) = opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono) else {
        return;
    };
    let mut pcm = [0; LONGEST];
    while let Some(packet) = tap.recv().await {
        let act = *act.borrow();
        if act == Act::Decode {
            let _ = decoder.decode(&packet.payload, &mut pcm, false);
        }
        if matches!(act, Act::Decode | Act::Take) {
            lock(&notes).up.push(millis(packet.arrival.elapsed()));
        }
    }
}

/// Speaks for all sessions. Rests when they do: a clock that ticks would be paid by what follows.
struct Speaker {
    pcm: Vec<i16>,
    recording: Recording,
    mouths: Shared<Vec<Mouth>>,
    notes: Shared<Notes>,
}

impl Speaker {
    async fn run(self, mut act: watch::Receiver<Act>) {
        let speaks = |act: &Act| matches!(act, Act::Encode | Act::Send);
        while act.wait_for(speaks).await.is_ok() {
            let mouths = lock(&self.mouths).clone();
            let phases = mouths.len().clamp(1, PHASES);
            let mut ticks = interval(PACKET / phases as u32);
            for tick in 0.. {
                ticks.tick().await;
                let act = *act.borrow();
                if !speaks(&act) {
                    break;
                }
                let of_phase = mouths.iter().enumerate().skip(tick % phases);
                for (who, mouth) in of_phase.step_by(phases) {
                    self.speak(act, mouth, tick / phases + 37 * who).await;
                }
            }
        }
    }

    async fn speak(&self, act: Act, mouth: &Mouth, place: usize) {
        if act == Act::Send {
            if let Some(packet) = self.recording.packet(place) {
                mouth
                    .microphone
                    .send_encoded(packet, self.recording.level());
            }
            return;
        }
        let at = place * PACKET_SAMPLES % self.pcm.len();
        let (first, second) = self.pcm[at..at + PACKET_SAMPLES].split_at(FRAME);
        let _ = mouth.microphone.capture(first).await;
        let begun = Instant::now();
        let _ = mouth.microphone.capture(second).await;
        let took = begun.elapsed();
        let is_sent = lock(&mouth.sent).try_recv().is_some();
        let mut notes = lock(&self.notes);
        match is_sent {
            true => notes.down.push(millis(took)),
            false => notes.unsent += 1,
        }
    }
}

fn millis(length: Duration) -> f64 {
    length.as_secs_f64() * 1_000.0
}

fn lock<T>(shared: &Shared<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
