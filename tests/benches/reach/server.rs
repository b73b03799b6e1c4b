//! The real server with its relay, on its usual ports, in a network namespace.

use std::{fs, path::Path, time::Duration};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tests::{
    child::{Child, Scratch},
    eventually::{eventually_async, expect},
    internet::{Internet, Place, RELAY_NAME, SERVER},
    livekit_server::{API_KEY, API_SECRET, binary},
};

use crate::Result;

pub(crate) const SIGNAL_PORT: u16 = 7_880;

/// Ends with this handle.
pub(crate) struct Server {
    _child: Child,
    _scratch: Scratch,
    certificate: String,
}

impl Server {
    pub(crate) async fn start(internet: &Internet) -> Result<Self> {
        let scratch = Scratch::new("reach")?;
        let made = rcgen::generate_simple_self_signed([RELAY_NAME.to_owned()])?;
        let certificate = scratch.write("relay.pem", &pem("CERTIFICATE", made.cert.der()))?;
        let key = scratch.write(
            "relay.key",
            &pem("PRIVATE KEY", &made.signing_key.serialize_der()),
        )?;
        let config = scratch.write("livekit.yaml", &config(&certificate, &key))?;
        let mut words = internet.enter(Place::Server);
        let program = words.remove(0);
        words.push(binary().display().to_string());
        words.extend(["--config".to_owned(), config.display().to_string()]);
        let child = Child::start("livekit-server", Path::new(&program), words, &[])?;
        eventually_async(
            "livekit-server is ready",
            Duration::from_secs(20),
            || async {
                let log = child.lines().text();
                expect(
                    log.contains("starting LiveKit server"),
                    format!("it says:\n{}", child.lines().tail()),
                )
            },
        )
        .await;
        fs::metadata(&certificate)?;
        Ok(Self {
            _child: child,
            _scratch: scratch,
            certificate: certificate.display().to_string(),
        })
    }

    /// The file with the certificate of its relay.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }
}

/// RFC 7468: base64 in lines of 64 characters.
fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64);
    let lines: Vec<&str> = lines.filter_map(|line| str::from_utf8(line).ok()).collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn config(certificate: &Path, key: &Path) -> String {
    let (certificate, key) = (certificate.display(), key.display());
    format!(
        r#"port: {SIGNAL_PORT}
rtc:
  node_ip: {SERVER}
  use_external_ip: false
  tcp_port: 7881
  udp_port: 7882
turn:
  enabled: true
  domain: {RELAY_NAME}
  cert_file: {certificate}
  key_file: {key}
  udp_port: 3478
  tls_port: 443
  relay_range_start: 30000
  relay_range_end: 30100
  allow_restricted_peer_cidrs: ["203.0.113.0/24"]
keys: {{ {API_KEY}: "{API_SECRET}" }}
logging: {{ level: info, json: true, pion_level: error }}
room: {{ auto_create: true, empty_timeout: 30, departure_timeout: 2 }}
"#
    )
}
