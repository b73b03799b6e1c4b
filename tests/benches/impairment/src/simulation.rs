//! The simulated rows: which networks, and the table of them in the repository.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Result,
    network::{Network, Order, Pattern},
    receivers, speech,
    stream::{self, Protection},
    tally::{Receiver, Row, table},
};

/// Packets of one row: five minutes.
const PACKETS: u64 = 15_000;
/// Any number; the figures are those of this one.
const SEED: u64 = 20_260_721;
/// What a server makes of a plain stream for listeners that take redundant coding.
const COPIES: u64 = 2;

/// What becomes of the table in the repository.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Check,
    Leave,
    Write,
}

/// Runs all rows on both receivers.
pub(crate) fn report(wanted: Table) -> Result<Value> {
    // Where virtual time begins; any moment will do.
    let start = Instant::now();
    let speech = speech::packets()?;
    let mut rows = Vec::new();
    for (name, network, protection) in networks() {
        let stream = stream::through(network, protection, PACKETS, SEED);
        rows.push(receivers::arrival(&name, start, &stream, PACKETS, &speech));
        rows.push(receivers::paced(&name, start, &stream, PACKETS, &speech));
    }
    let failed = rows.iter().filter(|row| !row.is_good()).count();
    let text = markdown(&rows);
    match wanted {
        Table::Leave => {}
        Table::Write => std::fs::write(path(), &text)?,
        Table::Check => {
            if std::fs::read_to_string(path()).unwrap_or_default() != text {
                return Err("the table is stale: cargo xtask impairment --write".into());
            }
        }
    }
    Ok(json!({
        "part": "impairment",
        "passed": rows.len() - failed,
        "failed": failed,
        "skipped": 0,
        "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
    }))
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("TABLE.md")
}

fn networks() -> Vec<(String, Network, Protection)> {
    let mut rows = vec![("clean".to_owned(), Network::default(), Protection::Fec)];
    for (protection, suffix) in [(Protection::Fec, ""), (Protection::Copies(COPIES), ", RED")] {
        for (pattern, word) in [(Pattern::Random, "random"), (Pattern::Bursty, "bursty")] {
            for percent in [5, 10, 20, 30] {
                let network = Network {
                    loss: f64::from(percent) / 100.0,
                    pattern,
                    ..Network::default()
                };
                rows.push((
                    format!("loss {percent} % {word}{suffix}"),
                    network,
                    protection,
                ));
            }
        }
    }
    for (order, words) in [(Order::Queue, "in order"), (Order::OwnWays, "overtaking")] {
        for millis in [20, 50, 100, 200] {
            let network = Network {
                jitter: Duration::from_millis(millis),
                order,
                ..Network::default()
            };
            rows.push((
                format!("jitter ±{millis} ms, {words}"),
                network,
                Protection::Fec,
            ));
        }
    }
    let reordered = Network {
        reordered: 0.05,
        ..Network::default()
    };
    let all = Network {
        loss: 0.1,
        pattern: Pattern::Bursty,
        jitter: Duration::from_millis(50),
        reordered: 0.05,
        duplicated: 0.02,
        ..Network::default()
    };
    let duplicated = Network {
        duplicated: 0.02,
        ..reordered
    };
    rows.push(("reorder 5 %".to_owned(), reordered, Protection::Fec));
    rows.push((
        "reorder 5 %, duplicates 2 %".to_owned(),
        duplicated,
        Protection::Fec,
    ));
    let name = "loss 10 % bursty, jitter ±50 ms, reorder 5 %, duplicates 2 %";
    rows.push((name.to_owned(), all, Protection::Fec));
    rows.push((format!("{name}, RED"), all, Protection::Copies(COPIES)));
    rows
}

fn markdown(rows: &[Row]) -> String {
    format!(
        "{INTRODUCTION}\n## Arrival path, to the model\n\n{ARRIVAL}\n\n{}\n\
         ## Paced stream, as upstream's `NativeAudioStream`\n\n{PACED}\n\n{}",
        table(rows, Receiver::Arrival),
        table(rows, Receiver::Paced),
    )
}

const INTRODUCTION: &str = "\
# Badly delivered audio: what both receivers make of it

Written by `cargo xtask impairment --write`; `cargo xtask impairment --check` fails when it is stale. Five minutes of real speech for each row
(Opus, 20 ms, 24 kbit/s, with in-band FEC), a seeded network and a virtual clock, so every run gives the same figures. Bursts: two states, three packets on average.
*In order*: one queue whose length varies; *overtaking*: every packet has a delay of its own, which mixes them up far more than networks do.
*RED*: each packet brings the two before it (RFC 2198), as the LiveKit server makes of a plain stream for those who take it; our engine and browsers send one.

*Concealed*: packets in whose place something was made up; *of it speech*: the encoder had heard a voice in them. *Came too late*: arrived, but after its place
was filled; part of the concealed. *Lost although in time*: must be 0. *Time made up*: concealment and silence, as a share of everything heard.
";

const ARRIVAL: &str = "\
*Added delay*: from the arrival at the socket to the delivery; in order it is zero, and behind a gap it is at most 60 ms.";

const PACED: &str = "\
*Added delay*: from the moment a packet would be played on a network without jitter and a receiver without a buffer to the moment it is played. The buffer
holds back 20–120 ms; jitter beyond that is heard.";
