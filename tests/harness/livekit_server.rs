//! The real LiveKit server as a child process, on ports of its own, inside loopback.

use std::{
    ffi::OsStr,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use livekit_api::{
    access_token::{AccessToken, VideoGrants},
    services::{agent_dispatch::AgentDispatchClient, room::RoomClient},
};
use livekit_protocol as proto;

use crate::{
    child::{Child, Lines, Scratch, free_ports},
    eventually::{eventually_async, expect},
    faults::{
        impairment::Impairment,
        relay::{RELAY_ADDRESS, UdpRelay},
    },
    scrape,
};

/// The API key of every test server.
pub const API_KEY: &str = "testkey";
/// Its secret. Long enough for the server, and a marker: it must show up in no log of ours.
pub const API_SECRET: &str = "test-secret-that-no-log-may-show-0123456789";

/// A running server; dropping it ends it.
pub struct LivekitServer {
    child: Child,
    address: SocketAddr,
    media: SocketAddr,
    config: PathBuf,
    _scratch: Scratch,
}

/// Where people are told to send media.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Advertised {
    /// Where the server is.
    Itself,
    /// To another interface of this machine; signals are also taken at its address.
    Interface(Interface),
    /// To a relay in front of it. The server then answers checks and begins none, or it would
    /// find people by itself and pass the relay by.
    Relay,
}

/// An interface other than loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
}

impl LivekitServer {
    /// Starts the server and waits until it is ready.
    ///
    /// # Panics
    /// When there is no such program or it does not get ready.
    pub async fn start() -> Self {
        Self::start_with(Advertised::Itself).await
    }

    /// Starts the server for people at the other end of an interface.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub async fn start_on(interface: Interface) -> Self {
        Self::start_with(Advertised::Interface(interface)).await
    }

    /// Starts the server so that all media pass a relay, over UDP only, and starts the relay.
    ///
    /// # Panics
    /// As [`Self::start`], and when there is no port for the relay.
    pub async fn relayed(impairment: Impairment) -> (Self, UdpRelay) {
        let server = Self::start_with(Advertised::Relay).await;
        let relay = UdpRelay::start(server.media, impairment).expect("a port for the relay");
        (server, relay)
    }

    async fn start_with(advertised: Advertised) -> Self {
        let (port, udp) = free_ports().expect("free ports");
        let (tcp, _) = free_ports().expect("free ports");
        let scratch = Scratch::new("livekit").expect("a scratch directory");
        let config = scratch
            .write("livekit.yaml", &config(port, tcp, udp, &advertised))
            .expect("written");
        let server = Self {
            child: launch(&config),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            media: SocketAddr::from((Ipv4Addr::LOCALHOST, udp)),
            config,
            _scratch: scratch,
        };
        server.becomes_ready().await;
        server
    }

    /// Kills the server, as a power cut does.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn kill(&mut self) {
        self.child.signal("KILL").await.expect("the server runs");
        self.child.ended(Duration::from_secs(5)).await;
    }

    /// Starts it again on the same ports; it has forgotten everything.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start_again(&mut self) {
        self.child = launch(&self.config);
        self.becomes_ready().await;
    }

    async fn becomes_ready(&self) {
        eventually_async(
            "livekit-server is ready",
            Duration::from_secs(20),
            || async {
                match scrape::get(self.address, "/").await {
                    Ok(page) => expect(page.status == 200, format!("status {}", page.status)),
                    Err(error) => Err(format!("{error}\n{}", self.child.lines().tail())),
                }
            },
        )
        .await;
    }

    /// Where workers and people connect.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The address behind that.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its log so far.
    pub fn lines(&self) -> &Lines {
        self.child.lines()
    }

    /// The server API for rooms.
    pub fn rooms(&self) -> RoomClient {
        RoomClient::with_api_key(&self.http_url(), API_KEY, API_SECRET)
    }

    /// The server API for agent dispatches.
    pub fn dispatches(&self) -> AgentDispatchClient {
        AgentDispatchClient::with_api_key(&self.http_url(), API_KEY, API_SECRET)
    }

    fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// What a person may do.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Who.
    pub identity: String,
    /// Which room.
    pub room: String,
    /// Present without being seen.
    pub hidden: bool,
    /// `standard`, `agent` …; participants of other kinds are no people.
    pub kind: &'static str,
    /// Agents called into the room when it is created, with their metadata.
    pub agents: Vec<(String, String)>,
    /// What the server says of them.
    pub attributes: Vec<(String, String)>,
}

impl Pass {
    /// An ordinary caller.
    pub fn of(identity: &str, room: &str) -> Self {
        Self {
            identity: identity.to_owned(),
            room: room.to_owned(),
            hidden: false,
            kind: "standard",
            agents: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// Signs it.
    ///
    /// # Panics
    /// When the token library refuses its own claims.
    pub fn token(&self) -> String {
        let grants = VideoGrants {
            room_join: true,
            room: self.room.clone(),
            hidden: self.hidden,
            agent: self.kind == "agent",
            ..VideoGrants::default()
        };
        let token = AccessToken::with_api_key(API_KEY, API_SECRET)
            .with_identity(&self.identity)
            .with_name(&self.identity)
            .with_kind(self.kind)
            .with_attributes(self.attributes.iter().cloned())
            .with_grants(grants);
        let dispatch = |(name, metadata): &(String, String)| proto::RoomAgentDispatch {
            agent_name: name.clone(),
            metadata: metadata.clone(),
            ..Default::default()
        };
        let agents: Vec<_> = self.agents.iter().map(dispatch).collect();
        let token = if agents.is_empty() {
            token
        } else {
            token.with_room_config(proto::RoomConfiguration {
                agents,
                ..Default::default()
            })
        };
        token.to_jwt().expect("the claims can be signed")
    }
}

fn launch(config: &Path) -> Child {
    let arguments = [OsStr::new("--config"), config.as_os_str()];
    Child::start("livekit-server", &binary(), arguments, &[]).expect("livekit-server")
}

fn config(port: u16, tcp: u16, udp: u16, advertised: &Advertised) -> String {
    let media = match advertised {
        Advertised::Itself => format!("node_ip: 127.0.0.1\n  tcp_port: {tcp}"),
        Advertised::Interface(Interface { address, .. }) => {
            format!("node_ip: {address}\n  tcp_port: {tcp}")
        }
        Advertised::Relay => format!(
            r#"node_ip: {RELAY_ADDRESS}
  tcp_port: 0
  use_ice_lite: true
  ips: {{ includes: ["127.0.0.1/32"] }}"#
        ),
    };
    let (bind, interface) = match advertised {
        Advertised::Itself | Advertised::Relay => ("127.0.0.1".to_owned(), "lo"),
        Advertised::Interface(Interface { name, address }) => {
            (format!("127.0.0.1, {address}"), name.as_str())
        }
    };
    let is_loopback = interface == "lo";
    format!(
        r#"port: {port}
bind_addresses: [{bind}]
rtc:
  {media}
  use_external_ip: false
  udp_port: {udp}
  enable_loopback_candidate: {is_loopback}
  interfaces: {{ includes: [{interface}] }}
  stun_servers: ["127.0.0.1:3478"]
keys: {{ {API_KEY}: "{API_SECRET}" }}
limit: {{ num_tracks: -1 }}
logging: {{ level: info, json: true, pion_level: error }}
room:
  auto_create: true
  empty_timeout: 30
  departure_timeout: 12
"#
    )
}

/// The server's program: from the environment, the path, or where the task runner builds it.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("LIVEKIT_SERVER_BIN") {
        return path.into();
    }
    let on_path = std::env::var_os("PATH").and_then(|path| {
        let candidates = std::env::split_paths(&path).map(|dir| dir.join("livekit-server"));
        candidates.into_iter().find(|candidate| candidate.is_file())
    });
    on_path.unwrap_or_else(|| target_dir().join("xtask/bin/livekit-server"))
}

/// Where cargo puts what it builds: this very test binary lies in `<target>/<profile>/deps`.
pub(crate) fn target_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    test.ancestors()
        .nth(3)
        .map_or_else(|| "target".into(), PathBuf::from)
}
