//! Adapter: sends what is filled in, and reads what comes back.
//!
//! Follows no redirect, knows no proxy, asks for no compression and connects only to addresses that the
//! guard admits, whatever a name stands for at that moment.

use std::{fmt, net::SocketAddr, sync::Arc};

use reqwest::{
    Method, RequestBuilder, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
    redirect::Policy,
};
use serde_json::Value;
use url::{Host, Url};

use super::{
    breaker::{Breakers, Shared},
    guard::Networks,
};

/// Longest answer that is read, in bytes.
pub const LONGEST_ANSWER: usize = 256 * 1024;

/// Sends requests of tools.
#[derive(Clone)]
pub struct Client {
    inner: reqwest::Client,
    networks: Arc<Networks>,
    breakers: Breakers,
}

/// One request, filled in.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Option<Value>,
}

/// What came back.
#[derive(Debug, PartialEq)]
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) is_json: bool,
    /// Seconds until it may be asked again, when it says so.
    pub(super) retry_after: Option<u64>,
    pub(super) body: Vec<u8>,
}

/// Why nothing came back. Addresses and headers are left out: they may hold secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// The address is none a tool may connect to.
    #[error("this tool may not connect there")]
    Forbidden,
    /// No connection: nothing was asked.
    #[error("the service cannot be reached now")]
    Unreachable,
    /// The connection broke, or what came was no HTTP.
    #[error("the connection broke before the answer came")]
    Broken,
    /// The answer is longer than [`LONGEST_ANSWER`].
    #[error("the service answered far more than can be read")]
    TooLong,
    /// A header's value has characters that none may have.
    #[error("an argument has characters that cannot be sent")]
    BadHeader,
}

impl Client {
    /// A client that may also reach these networks.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(networks: Networks) -> Result<Self, String> {
        let networks = Arc::new(networks);
        let inner = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(GuardedResolver(Arc::clone(&networks))))
            .build()
            .map_err(|_| "the HTTP client could not be built".to_owned())?;
        Ok(Self {
            inner,
            networks,
            breakers: Breakers::default(),
        })
    }

    /// The breaker of the service at this address.
    pub(super) fn breaker(&self, address: &str) -> Shared {
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        self.breakers.of(&host.to_ascii_lowercase())
    }

    /// A request to where tools may go.
    pub(crate) fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, Trouble> {
        // An address in the URL is never resolved, so it is looked at here.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        };
        if literal.is_some_and(|address| !self.networks.admit(address)) {
            return Err(Trouble::Forbidden);
        }
        Ok(self.inner.request(method, url))
    }

    pub(super) async fn send(&self, request: Request) -> Result<Response, Trouble> {
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers {
            let mut value = HeaderValue::from_str(&value).map_err(|_| Trouble::BadHeader)?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut builder = self.request(request.method, request.url)?.headers(headers);
        if let Some(body) = request.body {
            builder = builder
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let mut answer = builder.send().await.map_err(|error| Trouble::of(&error))?;
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|_| Trouble::Broken)? {
            if body.len() + piece.len() > LONGEST_ANSWER {
                return Err(Trouble::TooLong);
            }
            body.extend_from_slice(&piece);
        }
        let text = |name| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        Ok(Response {
            status: answer.status(),
            is_json: text(CONTENT_TYPE).is_some_and(|kind| kind.contains("json")),
            retry_after: text(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()),
            body,
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Trouble {
    /// What an error of the HTTP library says, without what it quotes.
    pub(crate) fn of(error: &reqwest::Error) -> Self {
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(inner) = cause {
            if inner.is::<NotAdmitted>() {
                return Self::Forbidden;
            }
            cause = inner.source();
        }
        if error.is_connect() {
            Self::Unreachable
        } else {
            Self::Broken
        }
    }
}

/// Resolves names to the addresses that the guard admits.
struct GuardedResolver(Arc<Networks>);

/// A name stands only for addresses that no tool may connect to.
#[derive(Debug, thiserror::Error)]
#[error("no address that tools may connect to")]
struct NotAdmitted;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let networks = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<SocketAddr> = found
                .filter(|address| networks.admit(address.ip()))
                .collect();
            if admitted.is_empty() {
                return Err(NotAdmitted.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}
