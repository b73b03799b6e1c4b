//! Task: one session's link to its model over time.
//!
//! Connects, hands the connection its lanes, reports up and down, waits, tries again, gives up.
//! Owns the receiving end of the orders and the state of the outage; the connection of the moment
//! runs inside it. It does not replay the conversation: the driver does, when it hears `Up`.

use std::{future::Future, sync::Arc, time::Duration};

use dialog::model::Order;
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep, sleep_until},
};

use super::{
    AudioOut, DownReason, LinkEvent, ModelHandle, Provider, SessionSettings, Uplink,
    openai_realtime::{self, Connection, End, Lanes},
    reconnect::{Failure, Reconnect, Retry, Step},
};
use crate::telemetry::event::{
    ModelConnectFailed, ModelLinkExhausted, ModelLinkLost, ModelLinkUp, ModelRotated,
};

/// The clocks of a link; tests turn them faster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timings {
    /// From the first packet to a configured session. 10 s: the provider needs 1 to 3.
    pub(super) connect: Duration,
    /// Between pings. 20 s: shorter than any middlebox forgets a connection.
    pub(super) ping: Duration,
    /// Longest time without any frame: one ping and 20 s for its pong.
    pub(super) silence: Duration,
    /// How long kept audio waits for the driver to replay the conversation.
    pub(super) replay: Duration,
    /// Before another spare is opened, when one could not be had.
    pub(super) spare: Duration,
    /// How long a spare may wait. 5 min: the provider counts its hour from the opening, and a fresher one
    /// is surely alive.
    pub(super) spare_lasts: Duration,
    /// Age at which a connection hands over to its spare, also in mid-speech. 59 min: providers end it
    /// after an hour.
    pub(super) longest: Duration,
    /// For a goodbye, and for the reader to say why the writer failed.
    pub(super) close: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            ping: Duration::from_secs(20),
            silence: Duration::from_secs(40),
            replay: Duration::from_secs(1),
            spare: Duration::from_secs(30),
            spare_lasts: Duration::from_secs(5 * 60),
            longest: Duration::from_secs(59 * 60),
            close: Duration::from_secs(1),
        }
    }
}

pub(super) struct Link {
    settings: SessionSettings,
    orders: mpsc::Receiver<Order>,
    events: mpsc::Sender<LinkEvent>,
    uplink: Uplink,
    /// Somebody wishes for a spare connection.
    spare_wanted: Arc<Notify>,
    out: Arc<dyn AudioOut>,
    timings: Timings,
    reconnect: Reconnect,
    /// When the last connection was lost; `None` = none has been there yet.
    lost_at: Option<Instant>,
}

/// The driver is gone: there is nobody to do anything for.
struct Unwanted;

impl Link {
    pub(super) fn new(
        settings: SessionSettings,
        orders: mpsc::Receiver<Order>,
        events: mpsc::Sender<LinkEvent>,
        handle: &ModelHandle,
        out: Arc<dyn AudioOut>,
        timings: Timings,
    ) -> Self {
        let reconnect = Reconnect::new(Instant::now().into_std(), settings.give_up_after);
        Self {
            settings,
            orders,
            events,
            uplink: handle.uplink(),
            spare_wanted: Arc::clone(&handle.spare),
            out,
            timings,
            reconnect,
            lost_at: None,
        }
    }

    pub(super) async fn run(mut self) {
        let end = self.keep_up().await;
        self.uplink.close();
        let Ok(Failure { reason, blame, .. }) = end else {
            return;
        };
        ModelLinkExhausted {
            reason: &reason,
            fault: blame,
        }
        .emit();
        // A driver that is gone needs no answer.
        let _ = self
            .events
            .send(LinkEvent::Exhausted { reason, blame })
            .await;
    }

    /// Connects again and again until that is pointless.
    async fn keep_up(&mut self) -> Result<Failure, Unwanted> {
        loop {
            let started = Instant::now();
            let (failure, was_up) = match self.connect().await? {
                Ok(connection) => (self.serve(connection, started).await?, true),
                Err(failure) => (failure, false),
            };
            let now = Instant::now().into_std();
            let step = self
                .reconnect
                .on_failure(now, failure.clone(), rand::random());
            if !was_up {
                report_failed_attempt(&failure, &step, now);
            }
            match step {
                Step::Connect => {}
                Step::GiveUp(failure) => return Ok(failure),
                Step::Wait(at) => self.wait(at).await?,
            }
        }
    }

    async fn connect(&mut self) -> Result<Result<Connection, Failure>, Unwanted> {
        // Off until the conversation is replayed: the model would answer to half of it.
        let creates_responses = self.lost_at.is_none();
        let attempt = connect(&self.settings, creates_responses, self.timings);
        while_wanted(&mut self.orders, &self.events, attempt).await
    }

    async fn wait(&mut self, until: std::time::Instant) -> Result<(), Unwanted> {
        while_wanted(&mut self.orders, &self.events, sleep_until(until.into())).await
    }

    /// Reports the connection, runs it, reports its loss.
    async fn serve(
        &mut self,
        connection: Connection,
        started: Instant,
    ) -> Result<Failure, Unwanted> {
        let is_replay = self.lost_at.is_some();
        self.take_up(&connection, started).await?;
        let end = Box::pin(self.serve_on(connection, is_replay)).await?;
        let End::Lost(reason, failure) = end else {
            return Err(Unwanted);
        };
        self.lose(reason, &failure).await?;
        Ok(failure)
    }

    /// From now on this connection serves.
    async fn take_up(&mut self, connection: &Connection, started: Instant) -> Result<(), Unwanted> {
        let now = Instant::now();
        ModelLinkUp {
            model: connection.model(),
            took: now - started,
            after_loss: self.lost_at.map(|lost| now - lost),
        }
        .emit();
        self.reconnect.on_up(now.into_std());
        self.report_up(connection).await?;
        self.uplink.set_up();
        Ok(())
    }

    async fn lose(&mut self, reason: DownReason, failure: &Failure) -> Result<(), Unwanted> {
        self.uplink.set_down();
        self.lost_at = Some(Instant::now());
        ModelLinkLost {
            reason: &failure.reason,
            fault: failure.blame,
        }
        .emit();
        let down = LinkEvent::Down { reason };
        self.events.send(down).await.map_err(|_| Unwanted)
    }

    /// Runs the connection, and after it each spare that takes over, to the end of the last.
    async fn serve_on(&mut self, connection: Connection, is_replay: bool) -> Result<End, Unwanted> {
        let (mut connection, mut is_replay) = (connection, is_replay);
        loop {
            let (end, spare) = self.serve_beside_spare(connection, is_replay).await;
            let spare = match (end, spare) {
                (End::Rotate, Some(spare)) => {
                    self.move_to(&spare).await?;
                    spare
                }
                // It ended just before it was to take over.
                (End::Rotate, None) => return Ok(End::expired()),
                // Nothing has to be opened: people hear that as a silence of a moment.
                (End::Lost(reason, failure), Some(spare)) if failure.retry != Retry::Never => {
                    self.lose(reason, &failure).await?;
                    self.take_up(&spare, Instant::now()).await?;
                    spare
                }
                (end, _) => return Ok(end),
            };
            (connection, is_replay) = (spare, true);
        }
    }

    /// The conversation has chosen a silence in which this connection takes over.
    async fn move_to(&self, spare: &Connection) -> Result<(), Unwanted> {
        self.uplink.set_moved();
        let capabilities = spare.capabilities().clone();
        let rotated = LinkEvent::Rotated { capabilities };
        self.events.send(rotated).await.map_err(|_| Unwanted)?;
        ModelRotated.emit();
        Ok(())
    }

    /// Runs the connection; meanwhile a spare is opened when somebody wishes for one, and another when that
    /// ends or waits for too long. One that cannot be had is tried again after a while.
    async fn serve_beside_spare(
        &mut self,
        connection: Connection,
        is_replay: bool,
    ) -> (End, Option<Connection>) {
        let lanes = Lanes {
            orders: &mut self.orders,
            uplink: &self.uplink,
            events: &self.events,
            out: &self.out,
        };
        let expiry = connection.opened() + self.timings.longest;
        let serving = connection.serve(&self.settings, lanes, is_replay, self.timings);
        tokio::pin!(serving);
        let mut spare: Option<Connection> = None;
        loop {
            let mut not_before = Instant::now();
            let stale = spare.as_ref().map(Connection::opened);
            let stale = stale.map(|opened| opened + self.timings.spare_lasts);
            tokio::select! {
                biased;
                end = &mut serving => return (end, spare),
                () = sleep_until(expiry), if spare.is_some() => return (End::expired(), spare),
                () = self.spare_wanted.notified(), if spare.is_none() => {}
                () = ended(&mut spare, self.timings) => {
                    // Who closes each one at once is not asked for one after the other.
                    let opened = spare.take().map(|spare| spare.opened());
                    not_before = opened.map_or(not_before, |opened| opened + self.timings.spare);
                }
                () = until(stale) => {}
            }
            let opening = Box::pin(open_spare(&self.settings, self.timings, not_before));
            spare = tokio::select! {
                biased;
                end = &mut serving => return (end, spare),
                opened = opening => Some(opened),
            };
            if self.events.send(LinkEvent::Spare).await.is_err() {
                return (End::Unwanted, None);
            }
        }
    }

    /// Orders that were given before this moment meant the connection before.
    async fn report_up(&mut self, connection: &Connection) -> Result<(), Unwanted> {
        let permit = self.events.reserve().await.map_err(|_| Unwanted)?;
        while self.orders.try_recv().is_ok() {}
        permit.send(LinkEvent::Up {
            capabilities: connection.capabilities().clone(),
            model: connection.model().to_owned(),
        });
        Ok(())
    }
}

/// Tries until there is one.
async fn open_spare(
    settings: &SessionSettings,
    timings: Timings,
    not_before: Instant,
) -> Connection {
    sleep_until(not_before).await;
    loop {
        match connect(settings, false, timings).await {
            Ok(opened) => return opened,
            Err(failure) => {
                tracing::warn!(reason = failure.reason, "no spare connection");
                sleep(timings.spare).await;
            }
        }
    }
}

/// When the spare has ended; never, if there is none.
async fn ended(spare: &mut Option<Connection>, timings: Timings) {
    match spare {
        Some(spare) => spare.wait(timings).await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn connect(
    settings: &SessionSettings,
    creates_responses: bool,
    timings: Timings,
) -> Result<Connection, Failure> {
    match settings.endpoint.provider() {
        Provider::OpenaiRealtime => {
            openai_realtime::connect(settings, creates_responses, timings).await
        }
    }
}

/// Runs the future unless the driver goes away meanwhile. Orders given now are for a connection
/// that is gone.
async fn while_wanted<T>(
    orders: &mut mpsc::Receiver<Order>,
    events: &mpsc::Sender<LinkEvent>,
    work: impl Future<Output = T>,
) -> Result<T, Unwanted> {
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(_) => tracing::debug!("order dropped: the model link is down"),
                None => return Err(Unwanted),
            },
            () = events.closed() => return Err(Unwanted),
            done = &mut work => return Ok(done),
        }
    }
}

fn report_failed_attempt(failure: &Failure, step: &Step, now: std::time::Instant) {
    let retry_in = match step {
        Step::Connect => Some(Duration::ZERO),
        Step::GiveUp(_) => None,
        Step::Wait(at) => Some(at.saturating_duration_since(now)),
    };
    ModelConnectFailed {
        reason: &failure.reason,
        fault: failure.blame,
        retry_in,
    }
    .emit();
}
