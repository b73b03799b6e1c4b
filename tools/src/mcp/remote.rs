//! A server whose tools the model's provider calls.
//!
//! Nothing here speaks to it: the provider lists its tools and asks before each call. What it lists is held
//! against what was pinned, as with any server.

use std::{collections::BTreeMap, fmt, sync::Arc};

use tokio::sync::watch;

use super::{
    catalog::{Catalog, Listed},
    link::{LinkEvent, Live, replace},
};

/// What the provider is told of such a server, and what is known of it.
pub struct Remote {
    pub(super) server: Arc<str>,
    pub(super) url: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) pinned: Arc<Catalog>,
    pub(super) live: watch::Sender<Live>,
}

impl Remote {
    /// Which server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The headers of every request; secrets stand in them.
    pub fn headers(&self) -> &BTreeMap<String, String> {
        &self.headers
    }

    /// The provider lists the server's tools so, or some of them: those of one agent. One that is not as it was
    /// pinned is off, in every session, until it is listed as it was.
    pub fn listed(&self, listing: &[Listed], tell: impl Fn(LinkEvent)) {
        let before = BTreeMap::clone(&self.live.borrow().changes);
        let changes = self.pinned.changes_in_part(before, listing);
        replace(&self.live, None, changes, &tell);
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({})", self.server)
    }
}
