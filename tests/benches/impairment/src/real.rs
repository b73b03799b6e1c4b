//! Task: the same figures from real packets: one of our engines speaks, another one hears it through
//! a real server and a relay that impairs the way; both receivers hear the same packets.
//!
//! The way is impaired where the row says: down, from the server to the ear; or up, from the speaker
//! to the server, which then reports loss, so that in-band FEC joins the copies (RED). The machine's
//! own delays are part of the figures.

mod call;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{
    faults::{
        impairment::{Conditions, Impairment, Loss},
        relay::UdpRelay,
    },
    livekit_server::LivekitServer,
};

use self::call::Call;
use crate::{
    Result,
    simulation::Table,
    tally::{Receiver, Row, table},
};

/// Seconds measured of each row, unless told otherwise.
const SECONDS: u64 = 20;
/// Before a row is measured: its conditions are in force, and loss has been reported.
const SETTLING: Duration = Duration::from_secs(6);

/// Which way is bad.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Down,
    Up,
}

/// Runs all rows; `seconds` for each. May write the table into the repository.
pub(crate) async fn report(seconds: Option<u64>, wanted: Table) -> Result<Value> {
    let (server, relay) = LivekitServer::relayed(Impairment::default()).await;
    let mut call = Call::start(&server).await?;
    let mut rows = Vec::new();
    let time = Duration::from_secs(seconds.unwrap_or(SECONDS));
    for (number, (name, way, conditions)) in networks().into_iter().enumerate() {
        eprintln!("  … {name}");
        impair(&relay, way, conditions, 100 + number as u64);
        tokio::time::sleep(SETTLING).await;
        rows.extend(call.measure(&name, time).await?);
    }
    let failed = rows.iter().filter(|row| !row.is_good()).count();
    let text = markdown(&rows, time);
    match wanted {
        Table::Write => std::fs::write(path(), text)?,
        Table::Check | Table::Leave => eprintln!("{text}"),
    }
    Ok(json!({
        "part": "impairment_real",
        "passed": rows.len() - failed,
        "failed": failed,
        "skipped": 0,
        "seconds_per_row": time.as_secs(),
        "rows": rows.iter().map(Row::json).collect::<Vec<_>>(),
    }))
}

fn impair(relay: &UdpRelay, way: Way, conditions: Conditions, seed: u64) {
    let good = Conditions::default();
    let (to_server, from_server) = match way {
        Way::Down => (good, conditions),
        Way::Up => (conditions, good),
    };
    relay.set(Impairment {
        to_server,
        from_server,
        seed,
    });
}

fn networks() -> Vec<(String, Way, Conditions)> {
    let mut rows = vec![("clean".to_owned(), Way::Down, Conditions::default())];
    for (way, word) in [(Way::Down, "down"), (Way::Up, "up")] {
        for percent in [5, 10, 20, 30] {
            let share = f64::from(percent) / 100.0;
            let patterns = [
                ("random", Loss::Random(share)),
                ("bursty", Loss::Bursts { share, mean: 3.0 }),
            ];
            for (pattern, loss) in patterns {
                let conditions = Conditions {
                    loss,
                    ..Conditions::default()
                };
                rows.push((
                    format!("loss {percent} % {pattern}, {word}"),
                    way,
                    conditions,
                ));
            }
        }
    }
    for millis in [20, 50, 100, 200] {
        let jitter = Duration::from_millis(millis);
        let conditions = Conditions {
            delay: jitter,
            jitter,
            ..Conditions::default()
        };
        rows.push((format!("jitter ±{millis} ms, down"), Way::Down, conditions));
    }
    let reordered = Conditions {
        reorder: 0.05,
        reorder_by: Duration::from_millis(30),
        ..Conditions::default()
    };
    rows.push(("reorder 5 %, down".to_owned(), Way::Down, reordered.clone()));
    let duplicated = Conditions {
        duplicate: 0.02,
        ..reordered
    };
    let name = "reorder 5 %, duplicates 2 %, down";
    rows.push((name.to_owned(), Way::Down, duplicated));
    rows
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("REAL.md")
}

/// The table, for people.
fn markdown(rows: &[Row], time: Duration) -> String {
    format!(
        "{INTRODUCTION} {} seconds for each row.\n\n## Arrival path, to the model\n\n{}\n\
         ## Paced stream, as upstream's `NativeAudioStream`\n\n{}",
        time.as_secs(),
        table(rows, Receiver::Arrival),
        table(rows, Receiver::Paced)
    )
}

const INTRODUCTION: &str = "\
# Badly delivered audio: real packets

Written by `cargo xtask impairment --real --write`; the columns are those of [the simulation](TABLE.md). One of our engines speaks the callers' clips, another
one hears it through the real LiveKit server and a seeded relay that impairs real datagrams in user space, on one machine whose own delays are part of the
figures. *Down*: from the server to the ear. *Up*: from the speaker to the server; once it reports loss the speaker adds in-band FEC. RED is one copy, made by the speaker and passed on by the server. Jitter keeps the order, as a queue does.";

/// Time since some moment, as the tables count it.
fn since(start: Instant, at: Instant) -> Duration {
    at.saturating_duration_since(start)
}
