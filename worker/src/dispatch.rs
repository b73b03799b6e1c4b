//! Dispatcher: which jobs are mine.
//!
//! One task that owns the slots and answers every offer from memory; one child task per agent name
//! that keeps it registered. It hands assignments to jobs and tells the server how they go. It does
//! not run sessions and never waits: an offer that is answered late is lost for everybody.

pub mod admission;
pub mod agent_protocol;
pub mod connection;
mod handle;
mod settling;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

pub use self::handle::{Handle, View};
use self::{
    admission::{Admission, Load, Offer},
    agent_protocol::{Assignment, FromServer, JobStatus},
    connection::{Connection, Outgoing, Report, Settings},
    handle::Order,
    settling::Settling,
};
use crate::telemetry::event::{
    Answer, AssignmentMissed, OfferAnswered, SlotsChanged, Unregistered,
};

/// Servers forget what they know about a worker's load unless they hear it again.
const STATUS_EVERY: Duration = Duration::from_millis(2500);
/// Servers give up on an answer after about 3 s and ask nobody else; then a no helps more.
const OLDEST_OFFER: Duration = Duration::from_secs(2);
/// How long the connections may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
/// Control messages per queue. Orders to us wait; ours to others are dropped when full, and told.
const QUEUE: usize = 256;

/// What jobs has to do.
#[derive(Debug)]
pub enum JobOrder {
    /// Run a session for this job.
    Start(Assignment),
    /// The server wants this job to end.
    Terminate {
        /// The job.
        job: String,
    },
}

/// Starts the dispatcher. Jobs must always read its orders: at most one per slot waits there.
pub fn start(
    tasks: &mut JoinSet<()>,
    settings: &Settings,
    agent_names: &[String],
    slots: usize,
) -> (Handle, mpsc::Receiver<JobOrder>) {
    let (orders, order_inbox) = mpsc::channel(QUEUE);
    let (jobs, job_orders) = mpsc::channel(slots + QUEUE);
    let stop = CancellationToken::new();
    let mut connections = JoinSet::new();
    let (reports, report_inbox) = mpsc::channel(QUEUE);
    let registrations = agent_names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let (outgoing, outgoing_inbox) = mpsc::channel(QUEUE);
            let connection = Connection {
                settings: settings.clone(),
                agent_name: name.clone(),
                outgoing: outgoing_inbox,
                index,
                reports: reports.clone(),
                stop: stop.clone(),
            };
            connections.spawn(connection.run());
            Registration {
                agent_name: name.clone(),
                outgoing,
                is_up: false,
            }
        })
        .collect();
    let admission = Admission::new(slots);
    let (view, view_reader) = watch::channel(View::default());
    let dispatcher = Dispatcher {
        admission,
        registrations,
        is_refused: false,
        told: Load::default(),
        settling: Settling::default(),
        orders: order_inbox,
        reports: report_inbox,
        jobs,
        view,
        stop,
        connections,
    };
    tasks.spawn(dispatcher.run());
    (Handle::new(orders, view_reader), job_orders)
}

struct Registration {
    agent_name: String,
    outgoing: mpsc::Sender<Outgoing>,
    is_up: bool,
}

/// What is to be said of a job, and on which registration.
#[derive(Debug)]
struct Words {
    index: usize,
    frame: Vec<u8>,
    written: Option<oneshot::Sender<()>>,
}

struct Dispatcher {
    admission: Admission,
    registrations: Vec<Registration>,
    is_refused: bool,
    /// The load every server was told last.
    told: Load,
    settling: Settling<Words>,
    orders: mpsc::Receiver<Order>,
    reports: mpsc::Receiver<(usize, Report)>,
    jobs: mpsc::Sender<JobOrder>,
    view: watch::Sender<View>,
    stop: CancellationToken,
    connections: JoinSet<()>,
}

enum Event {
    Expiry,
    Order(Order),
    Released,
    Report(usize, Report),
    Settled,
    Tick,
}

impl Dispatcher {
    async fn run(mut self) {
        let mut ticks = interval(STATUS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.publish();
        loop {
            let event = self.next_event(&mut ticks).await;
            match event {
                Event::Expiry => self.on_expiry(),
                Event::Order(Order::Finish { done }) => {
                    self.close().await;
                    let _ = done.send(());
                    return;
                }
                Event::Order(order) => self.on_order(order),
                Event::Released => return self.close().await,
                Event::Report(index, report) => self.on_report(index, report),
                Event::Settled => self.say_what_is_due(),
                Event::Tick => self.tell_load(),
            }
            self.publish();
        }
    }

    async fn next_event(&mut self, ticks: &mut tokio::time::Interval) -> Event {
        let expiry = self.admission.next_expiry().map(Instant::from_std);
        let settled = self.settling.deadline().map(Instant::from_std);
        let at = |deadline: Option<Instant>| async move {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some((index, report)) = self.reports.recv() => Event::Report(index, report),
            order = self.orders.recv() => order.map_or(Event::Released, Event::Order),
            () = at(expiry) => Event::Expiry,
            () = at(settled) => Event::Settled,
            _ = ticks.tick() => Event::Tick,
        }
    }

    fn on_report(&mut self, index: usize, report: Report) {
        match report {
            Report::Down => self.set_up(index, false),
            Report::Message(message, read_at) => self.on_message(index, message, read_at),
            Report::Refused => self.is_refused = true,
            Report::Up => {
                self.set_up(index, true);
                // At once: until then the server believes that we have nothing to do.
                self.tell_load_to(index);
            }
        }
    }

    fn set_up(&mut self, index: usize, up: bool) {
        let was_up = std::mem::replace(&mut self.registrations[index].is_up, up);
        if was_up && !up {
            Unregistered.emit();
        }
    }

    fn on_message(&mut self, index: usize, message: FromServer, read_at: Instant) {
        match message {
            FromServer::Assignment(assignment) => self.on_assignment(index, assignment),
            FromServer::Offer(offer) => self.on_offer(index, offer, read_at),
            FromServer::Termination { job } => {
                self.admission.leaves(&job);
                self.tell_jobs(JobOrder::Terminate { job });
            }
            FromServer::GoAway | FromServer::Pong | FromServer::Registered { .. } => {}
        }
    }

    fn on_offer(&mut self, index: usize, mut offer: Offer, read_at: Instant) {
        // The registration says whose job it is; servers need not repeat it.
        offer
            .agent_name
            .clone_from(&self.registrations[index].agent_name);
        let now = Instant::now();
        let is_late = now.duration_since(read_at) > OLDEST_OFFER;
        let answer = if is_late {
            Answer::Late
        } else {
            self.admission.offer(now.into_std(), &offer)
        };
        self.send(
            index,
            agent_protocol::availability(&offer, answer),
            false,
            None,
        );
        OfferAnswered {
            job: &offer.job,
            answer,
            took: read_at.elapsed(),
        }
        .emit();
        self.load_changed();
    }

    fn on_assignment(&mut self, index: usize, mut assignment: Assignment) {
        assignment
            .offer
            .agent_name
            .clone_from(&self.registrations[index].agent_name);
        let job = assignment.offer.job.clone();
        self.settling.assigned(Instant::now().into_std(), &job);
        if self.admission.assigned(&assignment.offer) {
            self.tell_jobs(JobOrder::Start(assignment));
        } else {
            let refused = JobStatus::Failed("this worker cannot take the job now".to_owned());
            self.say(index, &job, &refused, None);
        }
        self.load_changed();
    }

    /// Tells the server how a job goes, once it knows the job.
    fn say(
        &mut self,
        index: usize,
        job: &str,
        status: &JobStatus,
        written: Option<oneshot::Sender<()>>,
    ) {
        self.say_what_is_due();
        let frame = agent_protocol::job_status(job, status);
        let words = Words {
            index,
            frame,
            written,
        };
        let now = Instant::now().into_std();
        if let Some(words) = self.settling.say(now, job, words) {
            self.send(words.index, words.frame, true, words.written);
        }
    }

    fn say_what_is_due(&mut self) {
        for words in self.settling.due(Instant::now().into_std()) {
            self.send(words.index, words.frame, true, words.written);
        }
    }

    fn on_expiry(&mut self) {
        for job in self.admission.expire(Instant::now().into_std()) {
            AssignmentMissed { job: &job }.emit();
        }
        self.load_changed();
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Drain => self.admission.drain(),
            Order::Ended { job } => {
                self.admission.ended(&job);
            }
            Order::Finish { .. } => {}
            Order::ModelRefused(refused) => self.admission.set_model_refused(refused),
            Order::Status {
                job,
                agent_name,
                status,
                written,
            } => {
                let home = self
                    .registrations
                    .iter()
                    .position(|r| r.agent_name == agent_name);
                if status != JobStatus::Running {
                    self.admission.leaves(&job);
                }
                if let Some(index) = home {
                    self.say(index, &job, &status, Some(written));
                }
                return;
            }
        }
        self.load_changed();
    }

    fn tell_jobs(&self, order: JobOrder) {
        // One order per slot fits beside a burst of terminations; jobs only starts and stops.
        if self.jobs.try_send(order).is_err() {
            tracing::error!("jobs does not take orders");
        }
    }

    fn load_changed(&mut self) {
        if self.admission.load() != self.told {
            self.tell_load();
        }
    }

    fn tell_load(&mut self) {
        let load = self.admission.load();
        self.told = load;
        SlotsChanged {
            active: load.active,
            used: load.used,
            slots: load.slots,
        }
        .emit();
        for index in 0..self.registrations.len() {
            self.tell_load_to(index);
        }
    }

    fn tell_load_to(&self, index: usize) {
        if self.registrations[index].is_up {
            self.send(
                index,
                agent_protocol::worker_status(self.admission.load()),
                false,
                None,
            );
        }
    }

    fn send(
        &self,
        index: usize,
        frame: Vec<u8>,
        survives: bool,
        written: Option<oneshot::Sender<()>>,
    ) {
        let registration = &self.registrations[index];
        let outgoing = Outgoing {
            frame,
            survives,
            written,
        };
        if registration.outgoing.try_send(outgoing).is_err() {
            // The socket takes nothing for so long that its own deadlines will end it.
            tracing::warn!(
                agent_name = registration.agent_name,
                "message to the server dropped"
            );
        }
    }

    fn publish(&self) {
        let view = View {
            registrations: self
                .registrations
                .iter()
                .map(|registration| (registration.agent_name.clone(), registration.is_up))
                .collect(),
            load: self.admission.load(),
            is_draining: self.admission.is_draining(),
            is_refused: self.is_refused,
        };
        self.view.send_if_modified(|old| {
            let changed = *old != view;
            *old = view;
            changed
        });
    }

    /// Lets what is queued leave, then hangs up.
    async fn close(mut self) {
        for words in self.settling.rest() {
            self.send(words.index, words.frame, true, words.written);
        }
        for registration in &self.registrations {
            if !registration.is_up {
                continue;
            }
            let (written, is_written) = oneshot::channel();
            let frame = agent_protocol::worker_status(Load {
                is_full: true,
                ..self.told
            });
            let outgoing = Outgoing {
                frame,
                survives: false,
                written: Some(written),
            };
            if registration.outgoing.try_send(outgoing).is_ok() {
                let _ = timeout(GOODBYE, is_written).await;
            }
        }
        self.stop.cancel();
        self.reports.close();
        let _ = timeout(GOODBYE, async {
            while self.connections.join_next().await.is_some() {}
        })
        .await;
    }
}
