//! The LiveKit server the tests talk to: its usual development keys, free ports, loopback only.

use std::{path::PathBuf, process::Command, time::Duration};

use crate::{
    children::{Children, answers_http},
    paths, ports,
    run::Failure,
    servers,
};

/// The keys upstream's tests expect.
pub(super) const API_KEY: &str = "devkey";
pub(super) const API_SECRET: &str = "secret";
const START: Duration = Duration::from_secs(20);

/// A server that answers.
pub(super) struct Server {
    pub(super) url: String,
}

/// Starts it; it ends with `children`.
pub(super) fn start(children: &mut Children) -> Result<Server, Failure> {
    let program = std::env::var_os("LIVEKIT_SERVER_BIN")
        .map_or_else(servers::livekit_server, |program| {
            Ok(PathBuf::from(program))
        })?;
    let [port, tcp, udp] = ports::any()?;
    let config = paths::scratch("conformance").join("livekit.yaml");
    std::fs::write(&config, text(port, tcp, udp))?;
    let mut command = Command::new(program);
    command.arg("--config").arg(config);
    children.start("livekit-server", &mut command)?;
    children.wait_for("livekit-server", START, |_| {
        answers_http(port, "/").then_some(())
    })?;
    Ok(Server {
        url: format!("ws://127.0.0.1:{port}"),
    })
}

fn text(port: u16, tcp: u16, udp: u16) -> String {
    format!(
        r#"port: {port}
bind_addresses: ["127.0.0.1"]
rtc:
  node_ip: 127.0.0.1
  use_external_ip: false
  udp_port: {udp}
  tcp_port: {tcp}
  enable_loopback_candidate: true
  interfaces: {{ includes: [lo] }}
  stun_servers: ["127.0.0.1:3478"]
keys: {{ {API_KEY}: {API_SECRET} }}
limit: {{ num_tracks: -1 }}
enable_data_tracks: true
enable_participant_data_blob: true
logging: {{ level: info, json: true, pion_level: error }}
room: {{ auto_create: true, empty_timeout: 10, departure_timeout: 5 }}
"#
    )
}
