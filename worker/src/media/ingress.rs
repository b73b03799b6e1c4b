//! Task: from the participants' packets to the model's audio, one packet in one synchronous pass.
//!
//! Owns the ears and the mixer. In-order audio of one speaker waits for nothing: packet in, decode,
//! append to the uplink. Gate orders come from the driver; no sample waits for one. Does not decide
//! who is heard.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use dialog::{input::SpeechEdge, output::Gate, speaker::ParticipantId};
use tokio::{sync::mpsc, task::JoinSet};
use tracing::Instrument;

mod allowance;
mod ending;
mod prelude;
mod report;

use self::{
    allowance::Allowance,
    ending::Ending,
    prelude::Prelude,
    report::{drop_frames, report},
};
use super::{
    Pcm,
    ear::Ear,
    echo::OwnVoice,
    mixer::Mixer,
    tap::{Heard, Tap},
};
use crate::model::Uplink;

// Orders of the driver, a handful per minute. When full the order is lost: a bug, and logged as one.
const ORDERS: usize = 64;

// Edges of speech, a few per second. When full the newest is lost, and logged: a driver that does not
// keep up with this keeps up with nothing.
const EDGES: usize = 64;

/// Somebody began or ended to speak.
pub type Speech = (ParticipantId, SpeechEdge);

/// Tells a session's ears whom to listen to. The task ends when the last handle is dropped.
#[derive(Clone)]
pub struct Ingress {
    orders: mpsc::Sender<Order>,
}

impl Ingress {
    /// Starts the task of one session. The receiver tells who speaks. `turn_end` is the silence after which
    /// the model has ended any turn: so much of it follows when the last microphone is gone.
    pub fn start(
        tasks: &mut JoinSet<()>,
        own_voice: OwnVoice,
        turn_end: Duration,
        uplink: Uplink,
    ) -> (Self, mpsc::Receiver<Speech>) {
        Self::start_with(tasks, own_voice, turn_end, move |pcm| uplink.append(pcm))
    }

    /// Whoever takes the sound gives back a piece that is not needed any more, if there is one: the next
    /// sound is written over it.
    pub(crate) fn start_with(
        tasks: &mut JoinSet<()>,
        own_voice: OwnVoice,
        turn_end: Duration,
        append: impl FnMut(Pcm) -> Option<Pcm> + Send + 'static,
    ) -> (Self, mpsc::Receiver<Speech>) {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (edges, speech) = mpsc::channel(EDGES);
        let task = Task {
            inbox,
            listening: Vec::new(),
            turn: 0,
            mixer: Mixer::default(),
            open: BTreeSet::new(),
            beginnings: BTreeMap::new(),
            append,
            spare: Pcm::default(),
            gathered: None,
            turn_end,
            ending: None,
            edges,
            own_voice,
        };
        tasks.spawn(task.run().in_current_span());
        (Self { orders }, speech)
    }

    /// Listens to this participant's track from now on. One that has a beginning waits for it, up to
    /// three seconds.
    pub fn listen(&self, participant: ParticipantId, tap: Tap, has_beginning: bool) {
        self.order(Order::Listen(participant, tap, has_beginning));
    }

    /// What was said into the track before we listened to it.
    pub fn begin(&self, participant: ParticipantId, pcm: Pcm) {
        self.order(Order::Begin(participant, pcm));
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
    Begin(ParticipantId, Pcm),
    Gate(ParticipantId, Gate),
    Listen(ParticipantId, Tap, bool),
    Stop(ParticipantId),
}

enum Event {
    Order(Option<Order>),
    /// From the ear at this place.
    Heard(usize, Option<Heard>),
    Due,
}

struct Task<F> {
    inbox: mpsc::Receiver<Order>,
    /// One per participant that is listened to; bounded by the people in the room.
    listening: Vec<Listening>,
    /// The ear that is asked first for what came: each in turn.
    turn: usize,
    mixer: Mixer,
    /// Whose gate is open; bounded by the people in the room.
    open: BTreeSet<ParticipantId>,
    /// Those that came before their track; bounded by the people in the room.
    beginnings: BTreeMap<ParticipantId, Pcm>,
    append: F,
    /// A piece that is not needed any more, for its memory.
    spare: Pcm,
    /// What goes to the model in one piece, because it is more than real time brings; `None` = each
    /// piece goes by itself.
    gathered: Option<Vec<i16>>,
    turn_end: Duration,
    /// Nobody is heard any more, and the model may wait for the end of a turn; `None` = somebody is, or it
    /// has ended.
    ending: Option<Ending>,
    edges: mpsc::Sender<Speech>,
    own_voice: OwnVoice,
}

struct Listening {
    participant: ParticipantId,
    tap: Tap,
    ear: Ear,
    allowance: Allowance,
    /// `None` = nothing came before.
    prelude: Option<Prelude>,
    /// Frames come paced: they need no time line of ours.
    is_paced: bool,
}

impl<F: FnMut(Pcm) -> Option<Pcm> + Send> Task<F> {
    async fn run(mut self) {
        loop {
            match self.next_event().await {
                Event::Order(Some(order)) => self.on_order(order),
                Event::Order(None) => return,
                Event::Heard(at, Some(heard)) => self.on_heard(at, heard),
                Event::Heard(at, None) => self.close(at),
                Event::Due => self.on_due(),
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let now = now();
        let ears = self.listening.iter_mut().filter_map(|l| l.due(now));
        let ending = self.ending.as_ref().map(Ending::due);
        let due = ears.chain(ending).min();
        self.turn = self.turn.wrapping_add(1);
        // Packets before time: what has arrived already is not missing.
        tokio::select! {
            biased;
            order = self.inbox.recv() => Event::Order(order),
            (at, heard) = next_heard(&mut self.listening, self.turn) => Event::Heard(at, heard),
            () = sleep_until(due) => Event::Due,
        }
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Begin(participant, pcm) => self.on_beginning(participant, pcm),
            Order::Gate(participant, gate) => self.on_gate(participant, gate),
            Order::Listen(participant, tap, has_beginning) => {
                self.listen(participant, tap, has_beginning);
            }
            Order::Stop(participant) => self.stop(&participant),
        }
    }

    fn on_gate(&mut self, participant: ParticipantId, gate: Gate) {
        if let Some(at) = self.place_of(&participant) {
            if gate != Gate::Open {
                self.end_prelude(at, Pcm::default());
            }
            self.listening[at].ear.set_gate(now(), gate);
            self.pass_on(at, None);
        }
        if gate == Gate::Open {
            self.open.insert(participant);
            if self.is_anybody_heard() {
                self.ending = None;
            }
        } else {
            let first = self.mixer.leave(&participant);
            self.append(first);
            let was_open = self.open.remove(&participant);
            self.beginnings.remove(&participant);
            if was_open && self.place_of(&participant).is_some() {
                self.end_turn();
            }
        }
    }

    fn listen(&mut self, participant: ParticipantId, tap: Tap, has_beginning: bool) {
        self.stop(&participant);
        let beginning = self.beginnings.remove(&participant);
        let gate = if self.open.contains(&participant) {
            Gate::Open
        } else {
            Gate::Closed
        };
        match Ear::new(now(), gate, self.own_voice.clone()) {
            Ok(ear) => self.listening.push(Listening {
                participant: participant.clone(),
                tap,
                ear,
                allowance: Allowance::new(now()),
                prelude: has_beginning.then(|| Prelude::new(now())),
                is_paced: false,
            }),
            Err(error) => tracing::error!(%error, "a participant cannot be heard"),
        }
        if gate == Gate::Open {
            self.ending = None;
        }
        if let Some(pcm) = beginning {
            self.on_beginning(participant, pcm);
        }
    }

    /// It goes before everything that was heard since. One that is not waited for any more comes too
    /// late: it would be out of order.
    fn on_beginning(&mut self, participant: ParticipantId, pcm: Pcm) {
        match self.place_of(&participant) {
            Some(at) => self.end_prelude(at, pcm),
            None => drop(self.beginnings.insert(participant, pcm)),
        }
    }

    fn end_prelude(&mut self, at: usize, beginning: Pcm) {
        let Some(prelude) = self.listening[at].prelude.take() else {
            return;
        };
        self.gathered = Some(Vec::new());
        for pcm in prelude.after(beginning) {
            let pcm = self.listening[at].ear.attend(now(), pcm);
            self.hear(at, Some(pcm));
        }
        if let Some(all) = self.gathered.take() {
            (self.append)(Pcm::from(all));
        }
    }

    fn on_heard(&mut self, at: usize, heard: Heard) {
        let listening = &mut self.listening[at];
        listening.ear.reuse(&mut self.spare);
        let pcm = match heard {
            Heard::Packet(packet) => listening.ear.on_packet(now(), packet),
            Heard::Frame(pcm) => {
                listening.is_paced = true;
                listening.ear.on_frame(pcm)
            }
        };
        self.pass_on(at, pcm);
    }

    fn on_due(&mut self) {
        let now = now();
        self.write_ending(now);
        for at in 0..self.listening.len() {
            let listening = &mut self.listening[at];
            if listening
                .prelude
                .as_ref()
                .is_some_and(|prelude| prelude.due <= now)
            {
                tracing::info!("what was said before the agent came did not come");
                self.end_prelude(at, Pcm::default());
            }
            let listening = &mut self.listening[at];
            let is_due = listening.ear.deadline(now).is_some_and(|due| due <= now);
            if is_due && !listening.is_paced {
                listening.ear.reuse(&mut self.spare);
                let pcm = listening.ear.on_timeout(now);
                self.pass_on(at, pcm);
            }
        }
    }

    fn stop(&mut self, participant: &ParticipantId) {
        if let Some(at) = self.place_of(participant) {
            self.close(at);
        }
    }

    /// A track is over.
    fn close(&mut self, at: usize) {
        let now = now();
        self.end_prelude(at, Pcm::default());
        let ear = &mut self.listening[at].ear;
        let rest = ear.end(now);
        self.pass_on(at, rest);
        self.listening[at].ear.ignore();
        self.pass_on(at, None);
        let Listening { participant, .. } = self.listening.swap_remove(at);
        let first = self.mixer.leave(&participant);
        self.append(first);
        if self.open.contains(&participant) {
            self.end_turn();
        }
    }

    /// Who was the last to be heard may be in mid-turn as the model sees it, whatever we think: it is given
    /// silence, as a microphone would.
    fn end_turn(&mut self) {
        if !self.is_anybody_heard() {
            self.ending = Some(Ending::new(now(), self.turn_end));
        }
    }

    fn write_ending(&mut self, now: Instant) {
        let Some(ending) = &mut self.ending else {
            return;
        };
        let silence = ending.step(now).map(Pcm::silence);
        self.ending.take_if(|ending| ending.is_over());
        self.append(silence);
    }

    fn is_anybody_heard(&self) -> bool {
        let mut ears = self.listening.iter();
        ears.any(|ear| self.open.contains(&ear.participant))
    }

    /// Sound of one ear on its way to the model: speech that begins in it makes a lead before, speech
    /// that ends in it ends after.
    fn pass_on(&mut self, at: usize, pcm: Option<Pcm>) {
        let pcm = pcm.and_then(|pcm| self.admit(at, pcm));
        self.hear(at, pcm);
        drop_frames(self.mixer.take_dropped());
        report(&mut self.listening[at]);
    }

    /// Sound that the ear has attended to.
    fn hear(&mut self, at: usize, pcm: Option<Pcm>) {
        let mut has_ended = false;
        while let Some(edge) = self.listening[at].ear.poll_edge() {
            match edge {
                SpeechEdge::Started { .. } => {
                    let first = self.mixer.begins(&self.listening[at].participant);
                    self.append(first);
                }
                SpeechEdge::Echoed | SpeechEdge::Stopped { .. } => has_ended = true,
            }
            self.tell(at, edge);
        }
        if let Some(pcm) = pcm {
            let mixed = self.mixer.hear(&self.listening[at].participant, pcm);
            self.append(mixed);
            let spare = self.mixer.take_spare();
            self.keep(spare);
        }
        if has_ended {
            let first = self.mixer.ends(&self.listening[at].participant);
            self.append(first);
        }
    }

    /// What a track sends within its allowance. The rest is neither heard nor taken for speech.
    fn admit(&mut self, at: usize, pcm: Pcm) -> Option<Pcm> {
        let Listening {
            ear,
            allowance,
            prelude,
            ..
        } = &mut self.listening[at];
        if allowance.takes(now(), pcm.duration()) {
            if let Some(prelude) = prelude {
                prelude.wait(pcm);
                return None;
            }
            return Some(ear.attend(now(), pcm));
        }
        ear.ignore();
        drop_frames(pcm.as_slice().len());
        None
    }

    /// Tells the conversation where speech begins and ends.
    fn tell(&self, at: usize, edge: SpeechEdge) {
        let participant = self.listening[at].participant.clone();
        if self.edges.try_send((participant, edge)).is_err() {
            tracing::error!("nobody takes note of who speaks");
        }
    }

    fn append(&mut self, pcm: Option<Pcm>) {
        match (pcm, &mut self.gathered) {
            (Some(pcm), Some(gathered)) => gathered.extend(pcm.as_slice()),
            (Some(pcm), None) => {
                let spare = (self.append)(pcm);
                self.keep(spare);
            }
            (None, _) => {}
        }
    }

    fn keep(&mut self, spare: Option<Pcm>) {
        if let Some(spare) = spare {
            self.spare = spare;
        }
    }

    fn place_of(&self, participant: &ParticipantId) -> Option<usize> {
        self.listening
            .iter()
            .position(|listening| listening.participant == *participant)
    }
}

impl Listening {
    /// When something has to be done although nothing comes.
    fn due(&mut self, now: Instant) -> Option<Instant> {
        let ear = (!self.is_paced).then(|| self.ear.deadline(now)).flatten();
        let prelude = self.prelude.as_ref().map(|prelude| prelude.due);
        ear.into_iter().chain(prelude).min()
    }
}

/// What comes next from any ear; cancel-safe. The ear at `turn` is asked first.
async fn next_heard(listening: &mut [Listening], turn: usize) -> (usize, Option<Heard>) {
    poll_fn(|context| {
        let count = listening.len();
        for at in (0..count).map(|n| (turn % count + n) % count) {
            let heard = pin!(listening[at].tap.recv());
            if let Poll::Ready(heard) = heard.poll(context) {
                return Poll::Ready((at, heard));
            }
        }
        Poll::Pending
    })
    .await
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
mod tests;
