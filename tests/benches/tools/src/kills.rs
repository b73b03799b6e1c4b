//! The process is killed at random moments: what it was told is safe is there, nothing was done that is not
//! on record, and nothing was done twice.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    process::Stdio,
    time::Duration,
};

use rand::Rng;
use room_agent::audit::{
    reader::{self, Journal},
    recovery,
};
use serde_json::{Value, json};
use tests::{child::Scratch, tool_service::ToolService};
use tokio::{io::AsyncReadExt, process::Command};

use crate::{Result, say};

/// Lives that share a journal.
const LIVES: usize = 10;

/// What was seen, over all kills.
#[derive(Debug, Default)]
struct Seen {
    kills: usize,
    told: usize,
    effects: usize,
    unknown: usize,
    torn: usize,
    faults: usize,
    missing: usize,
    without_intent: usize,
    doubled: usize,
}

/// What one life said.
#[derive(Debug, Default)]
struct Said {
    begun: BTreeSet<usize>,
    told: BTreeMap<usize, String>,
}

pub(crate) async fn measure(kills: usize) -> Result<Value> {
    let mut seen = Seen::default();
    while seen.kills < kills {
        say(&format!("killed {} of {kills} times", seen.kills));
        lives(LIVES.min(kills - seen.kills), &mut seen).await?;
    }
    let wrong = seen.faults + seen.missing + seen.without_intent + seen.doubled;
    Ok(json!({
        "name": "SIGKILL at random moments, 50 calls at once",
        "n": seen.kills,
        "acknowledged_outcomes": seen.told,
        "side_effects": seen.effects,
        "answered_unknown_after_a_kill": seen.unknown,
        "torn_tails": seen.torn,
        "faults_of_the_journal": seen.faults,
        "acknowledged_and_missing": seen.missing,
        "effects_without_intent": seen.without_intent,
        "effects_doubled": seen.doubled,
        "reached": wrong == 0,
    }))
}

async fn lives(count: usize, seen: &mut Seen) -> Result<()> {
    let dir = Scratch::new("bench-kills")?;
    let service = ToolService::start().await;
    let address = service.address().to_string();
    let mut all = Said::default();
    let mut again: BTreeSet<usize> = BTreeSet::new();
    for life in 0..count {
        let next = all.begun.last().map_or(0, |last| last + 1);
        let said = one_life(&address, dir.path(), life, next, &again).await?;
        seen.kills += 1;
        again = said
            .begun
            .iter()
            .filter(|number| !said.told.contains_key(number))
            .copied()
            .collect();
        seen.unknown += said.told.values().filter(|word| *word == "unknown").count();
        all.begun.extend(said.begun);
        all.told.extend(said.told);
    }
    judge(dir.path(), &service, &all, seen)
}

async fn one_life(
    service: &str,
    dir: &Path,
    life: usize,
    next: usize,
    again: &BTreeSet<usize>,
) -> Result<Said> {
    let again: Vec<String> = again.iter().map(ToString::to_string).collect();
    let mut victim = Command::new(std::env::current_exe()?)
        .arg("victim")
        .args([service, &dir.display().to_string(), &format!("life{life}")])
        .args([next.to_string(), again.join(",")])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut out = victim.stdout.take().ok_or("a pipe")?;
    let mut text = Vec::new();
    let moment = Duration::from_micros(rand::rng().random_range(5_000..250_000));
    let reading = tokio::time::timeout(moment, out.read_to_end(&mut text)).await;
    if reading.is_ok() {
        return Err("the victim ended by itself".into());
    }
    victim.kill().await?;
    out.read_to_end(&mut text).await?;
    let mut said = Said::default();
    // The last line may be torn.
    let text = String::from_utf8_lossy(&text);
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for line in whole.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["begun", number] => drop(said.begun.insert(number.parse()?)),
            ["told", number, word] => drop(said.told.insert(number.parse()?, word.to_owned())),
            _ => return Err(format!("the victim said {line:?}").into()),
        }
    }
    Ok(said)
}

fn judge(dir: &Path, service: &ToolService, all: &Said, seen: &mut Seen) -> Result<()> {
    let journal = reader::read(&recovery::files(dir)?);
    seen.faults += journal.faults.len();
    seen.torn += journal.torn.len();
    let intents = calls(&journal, "tool.intent");
    let outcomes = calls(&journal, "tool.outcome");
    seen.told += all.told.len();
    let is_there = |number: &&usize| outcomes.contains(&format!("c{number}"));
    seen.missing += all.told.keys().filter(|number| !is_there(number)).count();
    let mut effects: HashMap<String, BTreeSet<String>> = HashMap::new();
    for request in service.requests() {
        let booked: Value = serde_json::from_str(&request.body)?;
        let key = request.header("idempotency-key").unwrap_or_default();
        let keys = effects.entry(format!("c{}", booked["hour"])).or_default();
        keys.insert(key.to_owned());
    }
    seen.effects += effects.len();
    seen.without_intent += effects
        .keys()
        .filter(|call| !intents.contains(*call))
        .count();
    // The service does one thing once for one key.
    seen.doubled += effects.values().filter(|keys| keys.len() > 1).count();
    Ok(())
}

fn calls(journal: &Journal, kind: &str) -> BTreeSet<String> {
    let of_kind = journal.entries.iter().filter(|entry| entry.kind == kind);
    of_kind
        .filter_map(|entry| entry.data["call"].as_str())
        .map(ToOwned::to_owned)
        .collect()
}
