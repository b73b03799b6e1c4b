//! Through which networks a participant gets, as JSON and as a table: the real server with its relay, a
//! caller behind a router, each in a network namespace of its own. What is said of the path is what
//! the router counted, not what the engine believes. Fails when a caller is not heard or hears nothing.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tests::internet::{INTERFACE, Internet, Place, SERVER};

mod inside;
mod server;

use inside::Inside;
use server::Server;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Calls per network, unless told otherwise.
const RUNS: usize = 3;
/// A call that does not sound by then does not sound.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long each call is listened to, once it sounds.
const LISTENED: Duration = Duration::from_secs(2);

/// How a caller is set up.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    relay_only: bool,
    ports: Option<(u16, u16)>,
    interfaces: Vec<String>,
    ca_file: Option<String>,
}

/// A network, and what should carry the call there.
struct Case {
    network: &'static str,
    translated: bool,
    /// Rules of the router.
    rules: &'static [&'static str],
    /// Otherwise nothing of IPv6 passes.
    has_ipv6: bool,
    setup: fn(&mut Setup),
    path: &'static str,
}

const CASES: [Case; 9] = [
    Case {
        network: "open",
        translated: false,
        rules: &[],
        has_ipv6: false,
        setup: |_| {},
        path: "UDP",
    },
    Case {
        network: "address translation (NAT)",
        translated: true,
        rules: &[],
        has_ipv6: false,
        setup: |_| {},
        path: "UDP",
    },
    Case {
        network: "UDP only from ports 40000-40015",
        translated: false,
        rules: &["udp sport != 40000-40015 iifname inside drop"],
        has_ipv6: false,
        setup: |setup| setup.ports = Some((40_000, 40_015)),
        path: "UDP",
    },
    Case {
        network: "a second interface that leads nowhere, named interfaces",
        translated: false,
        rules: &[],
        has_ipv6: false,
        setup: |setup| setup.interfaces = vec![INTERFACE.to_owned()],
        path: "UDP",
    },
    Case {
        network: "media over IPv6 only",
        translated: false,
        rules: &[
            "meta nfproto ipv4 meta l4proto udp drop",
            "meta nfproto ipv4 tcp dport { 7881, 443 } drop",
        ],
        has_ipv6: true,
        setup: |_| {},
        path: "UDP over IPv6",
    },
    Case {
        network: "UDP blocked",
        translated: true,
        rules: &["meta l4proto udp drop"],
        has_ipv6: false,
        setup: |_| {},
        path: "TCP",
    },
    Case {
        network: "only the relay's UDP port 3478, and the signal",
        translated: true,
        rules: &[
            "udp dport != 3478 iifname inside drop",
            "tcp dport { 7881, 443 } drop",
        ],
        has_ipv6: false,
        setup: |_| {},
        path: "TURN/UDP",
    },
    Case {
        network: "only TCP 443, and the signal",
        translated: true,
        rules: &["meta l4proto udp drop", "tcp dport 7881 drop"],
        has_ipv6: false,
        setup: |_| {},
        path: "TURN/TLS",
    },
    Case {
        network: "open, relays only (`force_relay`)",
        translated: false,
        rules: &[],
        has_ipv6: false,
        setup: |setup| setup.relay_only = true,
        path: "TURN/UDP",
    },
];

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let args: Vec<String> = std::env::args().collect();
    if let [_, word, url, name, setup] = args.as_slice()
        && word == inside::WORD
    {
        let setup = serde_json::from_str(setup)?;
        return runtime.block_on(inside::sit(url, name, setup));
    }
    let (mut runs, mut filter) = (RUNS, String::new());
    let mut args = args.into_iter().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--runs" => runs = args.next().ok_or("--runs needs a number")?.parse()?,
            _ => filter = arg,
        }
    }
    runtime.block_on(all(runs, &filter))
}

async fn all(runs: usize, filter: &str) -> Result<()> {
    let internet = Internet::make()?;
    let server = Server::start(&internet).await?;
    let mut rows = Vec::new();
    for case in CASES.iter().filter(|case| case.network.contains(filter)) {
        eprintln!("  {}", case.network);
        let row = measure(case, runs, &internet, &server).await;
        rows.push((case, row));
    }
    report(runs, &rows);
    let failed = rows.iter().filter(|(case, row)| !row.is_as_wanted(case));
    match failed.count() {
        0 if rows.is_empty() => Err("no network has this in its name".into()),
        0 => Ok(()),
        failed => Err(format!("{failed} of {} networks are not passed", rows.len()).into()),
    }
}

/// What came of a network.
#[derive(Default)]
struct Row {
    /// Milliseconds from the first word with the server to sound from the other, per call.
    sounds: Vec<u64>,
    /// What carried most packets, per call.
    paths: Vec<&'static str>,
    failures: Vec<String>,
}

impl Row {
    fn is_as_wanted(&self, case: &Case) -> bool {
        self.failures.is_empty() && self.paths.iter().all(|path| *path == case.path)
    }

    fn median(&self) -> Option<u64> {
        let mut sorted = self.sounds.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

async fn measure(case: &Case, runs: usize, internet: &Internet, server: &Server) -> Row {
    let mut row = Row::default();
    for run in 0..runs {
        match call(case, internet, server).await {
            Ok((sound, path)) => {
                eprintln!("    call {run}: {path}, sound after {sound} ms");
                row.sounds.push(sound);
                row.paths.push(path);
            }
            Err(error) => {
                eprintln!("    call {run}: {error}");
                row.failures.push(error.to_string());
            }
        }
    }
    row
}

/// One call through the network: when the caller heard the other, and over what.
async fn call(case: &Case, internet: &Internet, server: &Server) -> Result<(u64, &'static str)> {
    let mut rules = case.rules.to_vec();
    if !case.has_ipv6 {
        rules.push("meta nfproto ipv6 drop");
    }
    internet.rule(case.translated, &rules)?;
    let url = format!("ws://{SERVER}:{}", server::SIGNAL_PORT);
    let mut setup = Setup {
        ca_file: Some(server.certificate().to_owned()),
        ..Setup::default()
    };
    let mut other = Inside::start(internet, Place::Server, &url, "ann", &setup)?;
    (case.setup)(&mut setup);
    let mut caller = Inside::start(internet, Place::Caller, &url, "bob", &setup)?;
    let began = Instant::now();
    loop {
        let (heard, by_other) = (caller.ask().await?, other.ask().await?);
        if let Some(sound) = heard.sound_ms
            && by_other.packets > 0
        {
            let before = internet.passed()?;
            tokio::time::sleep(LISTENED).await;
            let after = internet.passed()?;
            let more = after.iter().zip(&before);
            let (path, count) = more
                .map(|((name, after), (_, before))| (*name, after - before))
                .max_by_key(|(_, count)| *count)
                .ok_or("nothing is counted")?;
            let still = caller.ask().await?.packets > heard.packets;
            if count < 10 || !still {
                return Err(format!("the sound stopped: {count} packets in {LISTENED:?}").into());
            }
            return Ok((sound, path));
        }
        if began.elapsed() > PATIENCE {
            return Err(
                format!("no sound after {PATIENCE:?}: {heard:?}, the other {by_other:?}").into(),
            );
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[expect(clippy::print_stdout, reason = "the figures are this program's output")]
fn report(runs: usize, rows: &[(&Case, Row)]) {
    let objects: Vec<_> = rows
        .iter()
        .map(|(case, row)| {
            json!({
                "network": case.network, "wanted": case.path, "paths": row.paths,
                "to_sound_ms": row.sounds, "failures": row.failures,
            })
        })
        .collect();
    let failed = rows.iter().filter(|(case, row)| !row.is_as_wanted(case));
    let failed = failed.count();
    let passed = rows.len() - failed;
    println!(
        "{:#}",
        json!({ "part": "reach", "passed": passed, "failed": failed, "skipped": 0, "networks": objects })
    );
    eprintln!(
        "\n| your network | what carries the call | sound after (median of {runs}) |\n|---|---|---|"
    );
    for (case, row) in rows {
        let sound = row.median().map(|sound| format!("{sound} ms"));
        let path = row.paths.first().copied().unwrap_or("nothing");
        let sound = sound.unwrap_or_else(|| "never".to_owned());
        eprintln!("| {} | {path} | {sound} |", case.network);
    }
}
