//! Adapter: sends what is filled in, and reads what comes back.
//!
//! Follows no redirect, knows no proxy, asks for no compression and connects only to addresses that the
//! guard admits, whatever a name stands for at that moment.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use reqwest::{
    Certificate, Method, RequestBuilder, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER},
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

/// What a client takes from the world around it. The default is the system's names, and the certificate
/// authorities that browsers trust.
#[derive(Clone)]
pub struct Surroundings {
    /// Who knows names.
    pub names: Arc<dyn Names>,
    /// Certificate authorities that are trusted, too; as DER.
    pub authorities: Vec<Vec<u8>>,
}

/// Whoever knows what addresses a name stands for at this moment.
#[async_trait]
pub trait Names: Send + Sync {
    /// Its addresses, in the order in which they are to be tried.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
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
    /// The answer is compressed, which nobody asked for: what is in it may be far larger.
    #[error("the service answered in a packed form, which is not read")]
    Packed,
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
        Self::within(networks, Surroundings::default())
    }

    /// The same in other surroundings.
    ///
    /// # Errors
    /// When the TLS library cannot be set up, or an authority is none.
    pub fn within(networks: Networks, surroundings: Surroundings) -> Result<Self, String> {
        let networks = Arc::new(networks);
        let resolver = GuardedResolver {
            networks: Arc::clone(&networks),
            names: surroundings.names,
        };
        let mut builder = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(resolver));
        for authority in &surroundings.authorities {
            let authority =
                Certificate::from_der(authority).map_err(|_| "no certificate".to_owned())?;
            builder = builder.add_root_certificate(authority);
        }
        let inner = builder
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
        if is_packed(answer.headers()) {
            return Err(Trouble::Packed);
        }
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

fn is_packed(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            names: Arc::new(System),
            authorities: Vec::new(),
        }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surroundings")
    }
}

struct System;

#[async_trait]
impl Names for System {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Resolves names to the addresses that the guard admits.
struct GuardedResolver {
    networks: Arc<Networks>,
    names: Arc<dyn Names>,
}

/// A name stands only for addresses that no tool may connect to.
#[derive(Debug, thiserror::Error)]
#[error("no address that tools may connect to")]
struct NotAdmitted;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (networks, names) = (Arc::clone(&self.networks), Arc::clone(&self.names));
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await?;
            let admitted: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| networks.admit(*address))
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if admitted.is_empty() {
                return Err(NotAdmitted.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}
