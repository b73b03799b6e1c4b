//! What the nine steps cost, and what an intent on disk costs more than its bare bytes.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use room_agent::audit::{Audit, Config, ToolRecord};
use serde_json::{Value, json};
use tests::child::Scratch;
use tokio::task::JoinSet;
use tools::{Context, Effect, Gateway, Registry, Tool, ToolCall, function};

use crate::{Result, Times, round, say};

/// Callers at once, as a full worker has.
const CALLERS: usize = 50;
/// What an intent takes on disk, in bytes.
const RECORD: usize = 700;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Booking {
    /// The slot.
    slot: u64,
    /// Whose.
    name: String,
}

/// When each call reached the tool.
type Started = Arc<Mutex<Vec<Instant>>>;

fn gateway(effect: Effect, started: &Started) -> Result<Gateway> {
    let started = Arc::clone(started);
    let book = function::tool("book", "Books.", move |booking: Booking| {
        let started = Arc::clone(&started);
        async move {
            let mut all = started.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(Instant::now());
            Ok(format!("{} for {}", booking.slot, booking.name.len()))
        }
    });
    let tools: [Arc<dyn Tool>; 1] = [Arc::new(book.effect(effect))];
    Ok(Gateway::new(Registry::build(tools)?))
}

/// How long the last call took to reach the tool.
fn start_after(started: &Started, begun: Instant) -> Option<Duration> {
    let all = started.lock().unwrap_or_else(PoisonError::into_inner);
    Some(all.last()?.duration_since(begun))
}

fn call(number: usize) -> ToolCall {
    let arguments = json!({"slot": number, "name": "Somebody with a name"});
    ToolCall::new(&format!("call_{number}"), "book", &arguments.to_string())
}

/// One row after the other.
pub(crate) async fn measure(calls: usize) -> Result<Vec<Value>> {
    let mut rows = Vec::new();
    say("the gateway without a journal");
    let started = Started::default();
    let alone = gateway(Effect::Reads, &started)?;
    let times = one_after_the_other(&alone, calls).await;
    rows.push(with_bar(
        times.row("gateway, no journal, one caller"),
        times.quantile(0.99),
        1_000.0,
    ));
    let times = at_once(|_| gateway(Effect::Reads, &started), calls).await?;
    rows.push(with_bar(
        times.row("gateway, no journal, 50 callers"),
        times.quantile(0.99),
        1_000.0,
    ));

    say("an intent on disk, and its bare bytes");
    let dir = Scratch::new("bench-audit")?;
    let audit = Audit::start(&Config {
        dir: Some(dir.path().to_owned()),
        ..Config::default()
    })?;
    let started = Started::default();
    let recorded = gateway(Effect::Writes, &started)?
        .recorded_by(Arc::new(ToolRecord::new(audit.clone(), "alone")));
    let mut bare = std::fs::File::create(dir.path().join("bare"))?;
    let (mut flushes, mut intents) = (Times::default(), Times::default());
    for number in 0..calls / 20 {
        let begun = Instant::now();
        bare.write_all(&[b'x'; RECORD])?;
        bare.sync_data()?;
        flushes.push(begun);
        let begun = Instant::now();
        recorded.invoke(&call(number), &Context::default()).await;
        intents.0.extend(start_after(&started, begun));
    }
    let flush = flushes.quantile(0.99);
    rows.push(flushes.row("bare fdatasync of 700 bytes"));
    rows.push(with_bar(
        intents.row("arrival to start of a write, one caller"),
        intents.quantile(0.99),
        flush + 2_000.0,
    ));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let started = Started::default();
        let record = ToolRecord::new(audit.clone(), &format!("s{caller}"));
        let gateway = gateway(Effect::Writes, &started)?.recorded_by(Arc::new(record));
        callers.spawn(async move {
            let mut intents = Times::default();
            for number in 0..calls / 10 / CALLERS {
                let begun = Instant::now();
                gateway.invoke(&call(number), &Context::default()).await;
                intents.0.extend(start_after(&started, begun));
            }
            intents
        });
    }
    let all = callers.join_all().await.into_iter();
    let times = Times(all.flat_map(|times| times.0).collect());
    rows.push(with_bar(
        times.row("arrival to start of a write, 50 callers"),
        times.quantile(0.99),
        flush + 2_000.0,
    ));
    Ok(rows)
}

fn with_bar(mut row: Value, p99: f64, wanted: f64) -> Value {
    row["wanted_p99"] = json!(round(wanted));
    row["reached"] = json!(p99 <= wanted);
    row
}

async fn one_after_the_other(gateway: &Gateway, calls: usize) -> Times {
    let mut times = Times::default();
    for number in 0..calls {
        let begun = Instant::now();
        gateway.invoke(&call(number), &Context::default()).await;
        times.push(begun);
    }
    times
}

/// Each caller has a session of its own.
async fn at_once(make: impl Fn(usize) -> Result<Gateway>, calls: usize) -> Result<Times> {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let gateway = make(caller)?;
        callers.spawn(async move { one_after_the_other(&gateway, calls / CALLERS).await });
    }
    let all = callers
        .join_all()
        .await
        .into_iter()
        .flat_map(|times| times.0);
    Ok(Times(all.collect()))
}
