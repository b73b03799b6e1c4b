//! The same figures of one caller without and with a flood in another room of the same worker, in one run.

use serde_json::{Value, json};
use tests::{
    flood::{Flood, TEN_TIMES},
    livekit_server::{LivekitServer, Pass},
    sim_model::SimModel,
    worker::{Settings, Worker},
};

use crate::{
    QUICK_MODEL, Result,
    figures::Figure,
    turns::{Measured, Turns},
};

/// Turns of one round; rounds with and without the flood take turns, so that what else the machine
/// does weighs on both.
const ROUND: usize = 10;

/// Prints each figure's quantiles without and with the flood, and their ratio.
pub(crate) async fn compare(
    livekit: &LivekitServer,
    model: &SimModel,
    settings: &Settings,
    wanted: usize,
) -> Result<Value> {
    let worker = Worker::ready(settings).await;
    let mut calm = Turns::begin(livekit, model, QUICK_MODEL, "flood-calm").await?;
    let mut alone = Measured::new();
    let mut flooded = Measured::new();
    let mut sound = 0;
    for _ in 0..wanted.div_ceil(ROUND) {
        calm.take(model, ROUND, &mut alone).await?;
        let pass = Pass::of("mallory", "flood-loud");
        let flood = Flood::begin(&livekit.url(), &pass, TEN_TIMES).await;
        calm.take(model, ROUND, &mut flooded).await?;
        sound += flood.sound();
    }
    drop(worker);
    let pairs = alone.all().into_iter().zip(flooded.all());
    let rows: Vec<Value> = pairs.map(|(a, b)| row(&a, &b)).collect();
    Ok(json!({ "part": "flood", "packets_of_the_flood": sound, "figures": rows }))
}

fn row(alone: &Figure, flooded: &Figure) -> Value {
    let round = |value: f64| (value * 100.0).round() / 100.0;
    let quantiles = |figure: &Figure| {
        let at = |share| figure.quantile(share).map(round);
        json!({ "n": figure.count(), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99) })
    };
    let ratio = |share| Some(round(flooded.quantile(share)? / alone.quantile(share)?));
    json!({
        "name": alone.name(),
        "alone_ms": quantiles(alone),
        "flooded_ms": quantiles(flooded),
        "flooded_over_alone": { "p50": ratio(0.5), "p95": ratio(0.95), "p99": ratio(0.99) },
    })
}
