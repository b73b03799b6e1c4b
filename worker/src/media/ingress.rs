//! Task: from a participant's packets to the model's audio, one packet in one synchronous pass.
//!
//! Owns the ear that is open. In-order audio waits for nothing: packet in, decode, append to the
//! uplink. Gate orders come from the driver; no sample waits for one. One ear is open at a time: a
//! second participant replaces the first. Does not decide who is heard.

use std::{collections::BTreeSet, time::Instant};

use dialog::{output::Gate, speaker::ParticipantId};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::Instrument;

mod allowance;

use self::allowance::Allowance;
use super::{
    FRAME_SAMPLES, Pcm,
    ear::Ear,
    tap::{Heard, Tap},
};
use crate::{
    model::Uplink,
    telemetry::event::{self, AudioStage},
};

// Orders of the driver, a handful per minute. When full the order is lost: a bug, and logged as one.
const ORDERS: usize = 64;

/// Tells a session's ears whom to listen to. The task ends when the last handle is dropped.
#[derive(Clone)]
pub struct Ingress {
    orders: mpsc::Sender<Order>,
}

impl Ingress {
    /// Starts the task of one session.
    pub fn start(tasks: &mut JoinSet<()>, uplink: Uplink) -> Self {
        Self::start_with(tasks, move |pcm| uplink.append(pcm))
    }

    fn start_with(tasks: &mut JoinSet<()>, append: impl FnMut(Pcm) + Send + 'static) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let task = Task {
            inbox,
            listening: None,
            open: BTreeSet::new(),
            append,
        };
        tasks.spawn(task.run().in_current_span());
        Self { orders }
    }

    /// Listens to this participant's track from now on.
    pub fn listen(&self, participant: ParticipantId, tap: Tap) {
        self.order(Order::Listen(participant, tap));
    }

    /// The participant's track is gone. Its gate stays as it is, for the next track.
    pub fn stop(&self, participant: ParticipantId) {
        self.order(Order::Stop(participant));
    }

    /// Opens or closes the way to the model; closed until told otherwise.
    pub fn gate(&self, participant: ParticipantId, gate: Gate) {
        self.order(Order::Gate(participant, gate));
    }

    fn order(&self, order: Order) {
        if self.orders.try_send(order).is_err() {
            tracing::error!("the ears do not take orders");
        }
    }
}

impl std::fmt::Debug for Ingress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ingress")
    }
}

enum Order {
    Gate(ParticipantId, Gate),
    Listen(ParticipantId, Tap),
    Stop(ParticipantId),
}

enum Event {
    Order(Option<Order>),
    Heard(Option<Heard>),
    Due,
}

struct Task<F> {
    inbox: mpsc::Receiver<Order>,
    listening: Option<Listening>,
    /// Whose gate is open; bounded by the people in the room.
    open: BTreeSet<ParticipantId>,
    append: F,
}

struct Listening {
    participant: ParticipantId,
    tap: Tap,
    ear: Ear,
    allowance: Allowance,
    /// Frames come paced: they need no time line of ours.
    is_paced: bool,
}

impl<F: FnMut(Pcm) + Send> Task<F> {
    async fn run(mut self) {
        loop {
            match self.next_event().await {
                Event::Order(Some(order)) => self.on_order(order),
                Event::Order(None) => return,
                Event::Heard(Some(heard)) => self.on_heard(heard),
                Event::Heard(None) => self.close(),
                Event::Due => self.on_due(),
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let Some(listening) = &mut self.listening else {
            return Event::Order(self.inbox.recv().await);
        };
        let due = if listening.is_paced {
            None
        } else {
            listening.ear.deadline(now())
        };
        let tap = &mut listening.tap;
        // Packets before time: what has arrived already is not missing.
        tokio::select! {
            biased;
            order = self.inbox.recv() => Event::Order(order),
            heard = tap.recv() => Event::Heard(heard),
            () = sleep_until(due) => Event::Due,
        }
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Gate(participant, gate) => self.on_gate(participant, gate),
            Order::Listen(participant, tap) => self.listen(participant, tap),
            Order::Stop(participant) => {
                if self
                    .listening
                    .as_ref()
                    .is_some_and(|l| l.participant == participant)
                {
                    self.close();
                }
            }
        }
    }

    fn on_gate(&mut self, participant: ParticipantId, gate: Gate) {
        if let Some(listening) = &mut self.listening
            && listening.participant == participant
        {
            listening.ear.set_gate(gate);
        }
        if gate == Gate::Open {
            self.open.insert(participant);
        } else {
            self.open.remove(&participant);
        }
    }

    fn listen(&mut self, participant: ParticipantId, tap: Tap) {
        self.close();
        let gate = if self.open.contains(&participant) {
            Gate::Open
        } else {
            Gate::Closed
        };
        match Ear::new(now(), gate) {
            Ok(ear) => {
                self.listening = Some(Listening {
                    participant,
                    tap,
                    ear,
                    allowance: Allowance::new(now()),
                    is_paced: false,
                })
            }
            Err(error) => tracing::error!(%error, "a participant cannot be heard"),
        }
    }

    fn on_heard(&mut self, heard: Heard) {
        let Some(listening) = &mut self.listening else {
            return;
        };
        let pcm = match heard {
            Heard::Packet(packet) => listening.ear.on_packet(now(), packet),
            Heard::Frame(pcm) => {
                listening.is_paced = true;
                Some(pcm).filter(|_| self.open.contains(&listening.participant))
            }
        };
        self.pass_on(pcm);
    }

    fn on_due(&mut self) {
        let Some(listening) = &mut self.listening else {
            return;
        };
        let pcm = listening.ear.on_timeout(now());
        self.pass_on(pcm);
    }

    fn close(&mut self) {
        let Some(mut listening) = self.listening.take() else {
            return;
        };
        if let Some(pcm) = listening.ear.end(now()) {
            (self.append)(pcm);
        }
    }

    fn pass_on(&mut self, pcm: Option<Pcm>) {
        if let Some(pcm) = pcm {
            self.append(pcm);
        }
        self.report();
    }

    fn append(&mut self, pcm: Pcm) {
        let takes = |listening: &mut Listening| listening.allowance.takes(now(), pcm.duration());
        if self.listening.as_mut().is_none_or(takes) {
            return (self.append)(pcm);
        }
        event::AudioDropped {
            stage: AudioStage::Ear,
            frames: (pcm.as_slice().len() / FRAME_SAMPLES) as u64,
        }
        .emit();
    }

    fn report(&mut self) {
        let Some(listening) = &mut self.listening else {
            return;
        };
        let counts = listening.ear.take_counts();
        if let Some(held) = listening.ear.take_held() {
            event::HeldBack { held }.emit();
        }
        if counts.dropped > 0 {
            event::AudioDropped {
                stage: AudioStage::Ear,
                frames: counts.dropped,
            }
            .emit();
        }
        if counts.concealed > 0 {
            event::AudioConcealed {
                frames: counts.concealed,
            }
            .emit();
        }
        if let Some(waited) = counts.waited {
            event::GapWaited { waited }.emit();
        }
        let frames = listening.tap.take_dropped();
        if frames > 0 {
            event::AudioDropped {
                stage: AudioStage::Tap,
                frames,
            }
            .emit();
        }
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(all(test, feature = "our-engine"))]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::media::Packet;

    /// The shortest packet of silence at 20 ms: a table of contents and nothing more.
    const SILENT: &[u8] = &[0x48];

    struct Stage {
        ingress: Ingress,
        appended: mpsc::Receiver<Pcm>,
        tasks: JoinSet<()>,
    }

    fn stage() -> Stage {
        let (append, appended) = mpsc::channel(1_000);
        let mut tasks = JoinSet::new();
        let ingress = Ingress::start_with(&mut tasks, move |pcm| {
            append.try_send(pcm).expect("room for a test's audio")
        });
        Stage {
            ingress,
            appended,
            tasks,
        }
    }

    fn ann() -> ParticipantId {
        ParticipantId::new("ann")
    }

    fn packet(sequence: u64) -> Packet {
        Packet {
            sequence,
            timestamp: sequence as u32 * 960,
            arrival: now(),
            audio_level: None,
            ticks: 960,
            has_fec: false,
            payload: Bytes::from_static(SILENT),
        }
    }

    fn track() -> (mpsc::Sender<Packet>, Tap) {
        let (packets, received) = mpsc::channel(64);
        (packets, Tap::from_channel(received))
    }

    #[tokio::test(start_paused = true)]
    async fn packet_of_an_open_ear_is_appended_at_once() {
        let mut stage = stage();
        let (packets, tap) = track();
        stage.ingress.gate(ann(), Gate::Open);
        stage.ingress.listen(ann(), tap);
        let sent = now();
        packets.send(packet(0)).await.unwrap();
        let pcm = stage.appended.recv().await.unwrap();
        assert_eq!(pcm.duration(), Duration::from_millis(20));
        assert_eq!(now(), sent, "no time passed");
    }

    #[tokio::test(start_paused = true)]
    async fn silent_track_is_appended_in_real_time() {
        let mut stage = stage();
        let (_packets, tap) = track();
        stage.ingress.gate(ann(), Gate::Open);
        stage.ingress.listen(ann(), tap);
        let start = now();
        let mut total = Duration::ZERO;
        while total < Duration::from_secs(2) {
            total += stage.appended.recv().await.unwrap().duration();
        }
        let took = now() - start;
        assert!(
            took >= total && took - total < Duration::from_millis(25),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn closed_ear_and_stopped_track_append_nothing() {
        let mut stage = stage();
        let (packets, tap) = track();
        stage.ingress.listen(ann(), tap);
        packets.send(packet(0)).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        stage.ingress.gate(ann(), Gate::Open);
        stage.ingress.stop(ann());
        drop(stage.ingress);
        stage.tasks.join_next().await.unwrap().unwrap();
        let heard: Duration = std::iter::from_fn(|| stage.appended.try_recv().ok())
            .map(|pcm| pcm.duration())
            .sum();
        assert_eq!(heard, Duration::ZERO);
    }

    /// The value of a line of `/metrics` that begins like this.
    fn metric(name: &str) -> f64 {
        let text = crate::telemetry::metrics::metrics().render();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok())
            .unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_bad_network_does_is_counted_where_it_happens() {
        const FAMILIES: [&str; 4] = [
            "room_agent_audio_gap_wait_seconds_count",
            "room_agent_audio_concealed_frames_total",
            "room_agent_rtc_jitter_buffer_delay_seconds_count",
            "room_agent_audio_dropped_frames_total{stage=\"ear\"}",
        ];
        let mut stage = stage();
        let (packets, tap) = track();
        stage.ingress.gate(ann(), Gate::Open);
        stage.ingress.listen(ann(), tap);
        let before = FAMILIES.map(metric);
        // The third is lost, the second comes twice.
        for sequence in [0, 1, 1, 3] {
            packets.send(packet(sequence)).await.unwrap();
        }
        let mut heard = Duration::ZERO;
        while heard < Duration::from_millis(80) {
            heard += stage.appended.recv().await.unwrap().duration();
        }
        for (name, before) in FAMILIES.into_iter().zip(before) {
            assert!(metric(name) > before, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn next_track_of_the_same_person_finds_its_gate_open() {
        let mut stage = stage();
        let ((first, tap), (second, next)) = (track(), track());
        stage.ingress.gate(ann(), Gate::Open);
        stage.ingress.listen(ann(), tap);
        drop(first);
        stage.ingress.listen(ann(), next);
        second.send(packet(0)).await.unwrap();
        assert!(stage.appended.recv().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_packets_is_not_ten_times_the_sound() {
        let mut stage = stage();
        let (packets, tap) = track();
        stage.ingress.gate(ann(), Gate::Open);
        stage.ingress.listen(ann(), tap);
        let mut heard = Duration::ZERO;
        for sequence in 0..5_000 {
            packets.send(packet(sequence)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
            while let Ok(pcm) = stage.appended.try_recv() {
                heard += pcm.duration();
            }
        }
        // Ten seconds passed, and some seconds may be ahead.
        assert!(heard > Duration::from_secs(8), "{heard:?}");
        assert!(heard < Duration::from_secs(18), "{heard:?}");
    }
}
