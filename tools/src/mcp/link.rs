//! Task: one per MCP server: connects, looks whether its tools are as they were pinned, keeps looking,
//! connects again.
//!
//! Owns whether the server's tools can be called. A server that is away is tried again after a quarter of a
//! second, then half a second and so on up to half a minute.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use tokio::sync::{Notify, watch};

use super::{
    catalog::{Catalog, Change},
    client::{Caller, Connection, Failed},
    form::Way,
};
use crate::http;

/// Between two looks at the listing.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Between two looks that somebody asks for.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Whether a server's tools can be called.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    /// `None` = it is away.
    pub(super) caller: Option<Caller>,
    /// What is not as it was pinned, also while the server is away.
    pub(super) changes: Arc<BTreeMap<String, Change>>,
}

/// What happens to a server, for whoever keeps an eye on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkEvent {
    /// It answers.
    Up,
    /// It does not, for this reason.
    Down(String),
    /// A tool is not as it was pinned, and is off.
    Off(String, Change),
    /// A tool is again as it was pinned.
    On(String),
}

/// The connection to one server.
pub struct Link {
    pub(super) server: Arc<str>,
    pub(super) way: Way,
    pub(super) client: http::Client,
    pub(super) pinned: Arc<Catalog>,
    pub(super) live: watch::Sender<Live>,
    /// Somebody has a reason to look.
    pub(super) look: Arc<Notify>,
}

impl Link {
    /// Which server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Keeps the connection until it is dropped.
    pub async fn run(self, tell: impl Fn(LinkEvent) + Send) {
        let mut pause = FIRST_PAUSE;
        loop {
            let opened = Connection::open(&self.way, &self.client, Arc::clone(&self.look)).await;
            let lost = match opened {
                Err(failed) => failed.what(),
                Ok(connection) => {
                    let caller = connection.caller();
                    let lost = self.watch(&caller, connection, &tell).await;
                    if self.live.borrow().caller.is_some() {
                        pause = FIRST_PAUSE;
                    }
                    lost
                }
            };
            self.live.send_modify(|live| live.caller = None);
            tell(LinkEvent::Down(lost));
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Looks again and again; returns why the server is taken for lost.
    async fn watch(
        &self,
        caller: &Caller,
        connection: Connection,
        tell: &impl Fn(LinkEvent),
    ) -> String {
        let closed = connection.closed();
        tokio::pin!(closed);
        loop {
            match caller.list().await {
                // It may do one thing at a time; what it does is not to be cut off.
                Err(Failed::Unsent(_) | Failed::Unsure(_)) if caller.is_busy() => {}
                // Not in its own words: they would stand in the log.
                Err(Failed::Refused(_) | Failed::Told(_)) => {
                    return "it does not list its tools".to_owned();
                }
                Err(failed) => return failed.what(),
                Ok(listing) => self.judge(caller, self.pinned.changes(&listing), tell),
            }
            tokio::select! {
                () = &mut closed => return "it has closed the connection".to_owned(),
                () = self.asked_to_look() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// A server that calls for it without end is not looked at without end.
    async fn asked_to_look(&self) {
        tokio::time::sleep(LOOK_AGAIN).await;
        self.look.notified().await;
    }

    fn judge(&self, caller: &Caller, changes: BTreeMap<String, Change>, tell: &impl Fn(LinkEvent)) {
        let was_away = self.live.borrow().caller.is_none();
        let caller = Some(caller.clone());
        replace(&self.live, caller, changes, tell);
        if was_away {
            tell(LinkEvent::Up);
        }
    }
}

/// Takes note of what a listing says, and tells what is new in it.
pub(super) fn replace(
    live: &watch::Sender<Live>,
    caller: Option<Caller>,
    changes: BTreeMap<String, Change>,
    tell: &impl Fn(LinkEvent),
) {
    let changes = Arc::new(changes);
    let before = live.send_replace(Live {
        caller,
        changes: Arc::clone(&changes),
    });
    for (tool, change) in &*changes {
        if before.changes.get(tool) != Some(change) {
            tell(LinkEvent::Off(tool.clone(), *change));
        }
    }
    for tool in before.changes.keys() {
        if !changes.contains_key(tool) {
            tell(LinkEvent::On(tool.clone()));
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({})", self.server)
    }
}
