//! Somebody who sends far too much: sound many times faster than real time, and data packets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use livekit::prelude::*;
use tokio::task::JoinSet;

use crate::{
    livekit_server::Pass,
    microphone::{self, FRAME, Microphone},
    user::configure_engine,
};

const TICK: Duration = Duration::from_millis(10);

/// How much is too much.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Packets of sound, as a multiple of the 50 a second that are normal.
    pub sound: usize,
    /// Data packets a second; rounded to a hundred.
    pub data: usize,
}

/// What reliability asks for: ten times the packets, a thousand messages a second.
pub const TEN_TIMES: Rate = Rate {
    sound: 10,
    data: 1_000,
};

/// A participant that floods its room until it is dropped.
pub struct Flood {
    room: Arc<Room>,
    sent: Arc<Sent>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Sent {
    sound: AtomicU64,
    data: AtomicU64,
}

impl Flood {
    /// Joins and begins.
    ///
    /// # Panics
    /// When the room cannot be joined, or nothing published.
    pub async fn begin(url: &str, pass: &Pass, rate: Rate) -> Self {
        configure_engine();
        let (room, mut events) = Room::connect(url, &pass.token(), RoomOptions::default())
            .await
            .expect("joined");
        let room = Arc::new(room);
        // A queue would slow us down to real time.
        let source = Microphone::new(0);
        let publication = source.publish(&room, microphone::without_dtx());
        publication.await.expect("published");
        let sent = Arc::new(Sent::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { while events.recv().await.is_some() {} });
        tasks.spawn(shout(source, rate.sound, sent.clone()));
        tasks.spawn(scribble(room.clone(), rate.data, sent.clone()));
        Self {
            room,
            sent,
            _tasks: tasks,
        }
    }

    /// Packets of sound sent so far.
    pub fn sound(&self) -> u64 {
        self.sent.sound.load(Ordering::Relaxed)
    }

    /// Data packets sent so far.
    pub fn data(&self) -> u64 {
        self.sent.data.load(Ordering::Relaxed)
    }

    /// Identities of the others in the room.
    pub fn others(&self) -> Vec<String> {
        let others = self.room.remote_participants();
        others.keys().map(ToString::to_string).collect()
    }
}

/// Noise, so that no packet is left out or small.
async fn shout(source: Microphone, times: usize, sent: Arc<Sent>) {
    let mut ticks = tokio::time::interval(TICK);
    let mut noise = 1_u32;
    loop {
        ticks.tick().await;
        for _ in 0..times {
            let data: Vec<i16> = (0..FRAME).map(|_| next(&mut noise)).collect();
            if source.capture(&data).await.is_err() {
                return;
            }
        }
        // Two frames make a packet.
        sent.sound.fetch_add(times as u64 / 2, Ordering::Relaxed);
    }
}

/// Numerical Recipes' generator; the upper half is noise enough.
fn next(state: &mut u32) -> i16 {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    ((*state >> 16) as i16) / 3
}

async fn scribble(room: Arc<Room>, per_second: usize, sent: Arc<Sent>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        for _ in 0..per_second / 100 {
            let packet = DataPacket {
                payload: vec![0x5a; 200],
                topic: Some("flood".to_owned()),
                reliable: false,
                ..Default::default()
            };
            if room.local_participant().publish_data(packet).await.is_err() {
                return;
            }
            sent.data.fetch_add(1, Ordering::Relaxed);
        }
    }
}
