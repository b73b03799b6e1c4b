//! Model: the speech model of one session, as the rest of the worker sees it.
//!
//! A [`ModelHandle`] takes orders and audio, a receiver of [`LinkEvent`] reports facts; the words of
//! both are `dialog::model`. Audio the model speaks takes the straight road to the playout and
//! appears here only as durations. Behind the handle one task keeps the link alive over many
//! connections; which provider is spoken to is a closed list, [`Provider`].
//! It does not decide anything about the conversation and does not replay it after a loss.

pub mod config;
mod endpoint;
mod link;
mod openai_realtime;
mod outbox;
mod price;
mod reconnect;
pub mod rotation;
mod uplink;
mod usage;

use std::{fmt, sync::Arc, time::Duration};

use dialog::model::{Capabilities, Event, ItemId, Order, ResponseId};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};
use tracing::Instrument;

use crate::media::{Pcm, playout::PlayoutHandle};

/// Whose fault an error is.
pub use crate::telemetry::event::Fault as Blame;
pub use config::{
    Config, Dialect, Eagerness, NoiseReduction, Provider, Transcription, TurnDetection,
};
pub use endpoint::{Endpoint, EndpointError};
pub use price::{Kind, Price, Usd, day};
pub use reconnect::{Retry, is_fatal};
pub use uplink::Uplink;
pub use usage::Totals;

/// Orders on their way to the connection. The driver never waits: full means that the link stalled
/// or the driver ran wild, and the driver closes the session.
const ORDERS: usize = 64;

/// Facts on their way to the driver. The link waits when it is full (facts must not be lost); audio
/// never passes here.
const EVENTS: usize = 256;

/// Talks to the link of one session. The link ends when the last clone is gone.
#[derive(Clone)]
pub struct ModelHandle {
    orders: mpsc::Sender<Order>,
    uplink: Uplink,
    spare: Arc<Notify>,
}

impl ModelHandle {
    /// Hands over an order; orders are carried out in this sequence, before any waiting audio.
    /// Orders given while the link is down are dropped: they were meant for a connection that is
    /// gone.
    ///
    /// # Errors
    /// [`Full`] when 64 orders wait already, or the link has ended: a bug of ours.
    pub fn order(&self, order: Order) -> Result<(), Full> {
        self.orders.try_send(order).map_err(|_| Full)
    }

    /// Wishes for a spare connection beside the one that serves; [`LinkEvent::Spare`] tells when it
    /// is there. One wish at a time: another one meanwhile is the same.
    pub fn prepare(&self) {
        self.spare.notify_one();
    }

    /// The audio lane.
    pub fn uplink(&self) -> Uplink {
        self.uplink.clone()
    }
}

#[cfg(test)]
impl ModelHandle {
    /// A handle without a link behind it; the receiver hears the orders.
    pub(crate) fn for_tests() -> (Self, mpsc::Receiver<Order>) {
        let (orders, queue) = mpsc::channel(ORDERS);
        let handle = Self {
            orders,
            uplink: Uplink::new(),
            spare: Arc::default(),
        };
        (handle, queue)
    }
}

impl fmt::Debug for ModelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelHandle(..)")
    }
}

/// The queue of orders is full or closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model link takes no more orders")]
pub struct Full;

/// What the link tells the driver.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// The connection is gone; the link is trying again. Comes only after [`Self::Up`].
    Down {
        /// What ended it.
        reason: DownReason,
    },
    /// The model reports.
    Event(Event),
    /// The link has given up; nothing follows.
    Exhausted {
        /// A short code for people and metrics: the provider's, or one of ours such as
        /// `unreachable`.
        reason: String,
        /// Whose fault it is.
        blame: Blame,
    },
    /// The spare connection serves now, as `Order::Rotate` wanted; facts from here on are of it.
    Rotated {
        /// What it can do.
        capabilities: Capabilities,
    },
    /// A configured, empty connection waits beside the one that serves. It creates no responses.
    Spare,
    /// A configured, empty connection is there. The first one creates responses by itself; later
    /// ones do not until an `Order::TurnControl` says so, so that the conversation can be replayed.
    Up {
        /// What it can do.
        capabilities: Capabilities,
        /// The model's own name for itself.
        model: String,
    },
}

/// What ended a connection; also a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DownReason {
    /// The provider closed it.
    Closed,
    /// The provider's longest connection time was over.
    Expired,
    /// The network lost it.
    Network,
    /// The provider broke the WebSocket protocol or our size limits.
    Protocol,
    /// The provider refused to go on, with a code of its own.
    Refused,
    /// Nothing was heard for too long.
    Stalled,
}

impl DownReason {
    /// The word for labels and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Expired => "expired",
            Self::Network => "network",
            Self::Protocol => "protocol",
            Self::Refused => "refused",
            Self::Stalled => "stalled",
        }
    }
}

/// A server whose tools the provider calls.
pub type RemoteServer = tools::mcp::Remote;

/// Who runs a tool, once a call is allowed.
#[derive(Clone, Debug)]
pub enum RunBy {
    /// The provider, which the server's address is told to.
    Provider {
        /// The server.
        server: Arc<RemoteServer>,
        /// The server's name for the tool.
        name: String,
    },
    /// The worker.
    Worker,
}

/// A tool as the model is told about it.
#[derive(Clone, Debug)]
pub struct ToolDeclaration {
    /// Unique name.
    pub name: String,
    /// When and how to use it.
    pub description: String,
    /// JSON schema of the arguments, passed through untouched.
    pub parameters: serde_json::Value,
    /// Who runs it.
    pub run_by: RunBy,
}

/// Everything one session tells its model. Cheap to clone compared with a connection.
#[derive(Clone)]
pub struct SessionSettings {
    /// Where the model is and how to get there; share one per process.
    pub endpoint: Endpoint,
    /// The provider's name of the model (Azure: of the deployment).
    pub model: String,
    /// The provider's name of the voice.
    pub voice: String,
    /// System text; personal data.
    pub instructions: String,
    /// What the model may call.
    pub tools: Vec<ToolDeclaration>,
    /// All that `Order::Equip` may name.
    pub catalog: Arc<[ToolDeclaration]>,
    /// How the end of a user turn is found.
    pub turn_detection: TurnDetection,
    /// Text of what users say; `None` = off.
    pub transcription: Option<Transcription>,
    /// Provider-side filter on the user's audio; `None` = off.
    pub noise_reduction: Option<NoiseReduction>,
    /// How long the model may be away before the link gives up.
    pub give_up_after: Duration,
}

impl SessionSettings {
    /// The settings of the configuration, with neither instructions nor tools.
    pub fn new(config: &Config, endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            model: config.model.clone(),
            voice: config.voice.clone(),
            instructions: String::new(),
            tools: Vec::new(),
            catalog: Arc::default(),
            turn_detection: config.turn_detection.clone(),
            transcription: config
                .transcription
                .enabled
                .then(|| config.transcription.clone()),
            noise_reduction: config.noise_reduction,
            give_up_after: config.give_up_after,
        }
    }
}

impl SessionSettings {
    /// The servers that the provider calls, or may be told to call.
    fn servers(&self) -> Vec<Arc<RemoteServer>> {
        let tools = self.catalog.iter().chain(&self.tools);
        let mut servers: Vec<Arc<RemoteServer>> = tools
            .filter_map(|tool| match &tool.run_by {
                RunBy::Provider { server, .. } => Some(Arc::clone(server)),
                RunBy::Worker => None,
            })
            .collect();
        servers.sort_by(|one, other| one.server().cmp(other.server()));
        servers.dedup_by(|one, other| one.server() == other.server());
        servers
    }

    /// Leaves the model these tools of the catalog.
    fn equip(&mut self, names: &[String]) {
        let is_named = |tool: &&ToolDeclaration| names.contains(&tool.name);
        self.tools = self.catalog.iter().filter(is_named).cloned().collect();
    }
}

impl fmt::Debug for SessionSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSettings")
            .field("endpoint", &self.endpoint)
            .field("model", &self.model)
            .field("tools", &self.tools.len())
            .finish_non_exhaustive()
    }
}

/// Where the model's voice goes; the seam between a connection's reader and the playout.
pub(crate) trait AudioOut: Send + Sync + 'static {
    /// Queues audio of an item; never waits.
    fn push(&self, response: &ResponseId, item: &ItemId, pcm: Pcm);
    /// No more audio of this item will come.
    fn finish(&self, response: &ResponseId, item: &ItemId);
}

impl AudioOut for PlayoutHandle {
    fn push(&self, response: &ResponseId, item: &ItemId, pcm: Pcm) {
        Self::push(self, response, item, pcm);
    }

    fn finish(&self, response: &ResponseId, item: &ItemId) {
        Self::finish(self, response, item);
    }
}

/// Starts the link of one session. It connects at once, reports through the receiver and ends when
/// every handle or the receiver is gone, or after [`LinkEvent::Exhausted`].
pub fn start(
    tasks: &mut JoinSet<()>,
    settings: SessionSettings,
    out: PlayoutHandle,
) -> (ModelHandle, mpsc::Receiver<LinkEvent>) {
    start_with(tasks, settings, Arc::new(out), link::Timings::default())
}

fn start_with(
    tasks: &mut JoinSet<()>,
    settings: SessionSettings,
    out: Arc<dyn AudioOut>,
    timings: link::Timings,
) -> (ModelHandle, mpsc::Receiver<LinkEvent>) {
    let (orders, order_queue) = mpsc::channel(ORDERS);
    let (event_queue, events) = mpsc::channel(EVENTS);
    let handle = ModelHandle {
        orders,
        uplink: Uplink::new(),
        spare: Arc::default(),
    };
    let link = link::Link::new(settings, order_queue, event_queue, &handle, out, timings);
    tasks.spawn(link.run().in_current_span());
    (handle, events)
}

/// Opens a connection, waits until the model introduces itself and closes it again: does the key
/// work (again)? Costs no tokens.
///
/// # Errors
/// Why it does not; ask [`ProbeError::retry`] whether another try makes sense.
pub async fn probe(config: &Config) -> Result<(), ProbeError> {
    let endpoint = Endpoint::new(config).map_err(ProbeError::from_endpoint)?;
    match endpoint.provider() {
        Provider::OpenaiRealtime => {
            openai_realtime::probe(&endpoint, &config.model, link::Timings::default()).await
        }
    }
    .map_err(|failure| ProbeError { failure })
}

/// Why the model cannot be used right now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the model refused the probe: {}", failure.reason)]
pub struct ProbeError {
    failure: reconnect::Failure,
}

impl ProbeError {
    fn from_endpoint(error: EndpointError) -> Self {
        Self {
            failure: reconnect::Failure::new(error.to_string(), Blame::Config, Retry::Never),
        }
    }

    /// A short code: the provider's, or one of ours.
    pub fn reason(&self) -> &str {
        &self.failure.reason
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        self.failure.blame
    }

    /// Whether trying again can help without somebody changing something.
    pub fn retry(&self) -> Retry {
        self.failure.retry
    }
}
