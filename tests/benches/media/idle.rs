//! Connections that nobody uses, held for minutes: does one of them drop, and what does each cost?

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::livekit_server::{LivekitServer, Pass};

use crate::{Result, SETTLE, process, program::Program, table::round};

/// How often the connections are counted.
const LOOK: Duration = Duration::from_secs(30);
/// So many are made before progress is told.
const STEP: usize = 100;

/// Makes so many connections to the server, each in a room of its own with a microphone nobody speaks into.
pub(crate) async fn hold(count: usize, length: Duration) -> Result<Value> {
    let livekit = LivekitServer::start().await;
    let mut program = Program::ours(&[])?;
    tokio::time::sleep(SETTLE).await;
    let id = program.id()?;
    let before = process::memory(id)?;
    let begun = Instant::now();
    for from in (0..count).step_by(STEP) {
        let to = count.min(from + STEP);
        let token = |who: usize| Pass::of("idle", &format!("idle-{who}")).token();
        let tokens: Vec<String> = (from..to).map(token).collect();
        program.join(&livekit.url(), &tokens).await?;
        crate::progress(&format!("{to} of {count} connections"));
    }
    let joined_in = begun.elapsed();
    tokio::time::sleep(SETTLE).await;
    let (mut seen, begun) = (Vec::new(), Instant::now());
    while begun.elapsed() < length {
        let left = length.saturating_sub(begun.elapsed());
        seen.push(process::watch(id, LOOK.min(left)).await?);
        let told = program.tell().await?;
        crate::progress(&format!("{:.0} s: {told}", begun.elapsed().as_secs_f64()));
    }
    let told = program.tell().await?;
    let windows = seen.len().max(1) as f64;
    let per = count.max(1) as f64;
    let cpu = seen.iter().map(|window| window.cpu).sum::<f64>() / windows;
    let idle = seen.iter().map(|window| window.machine_idle).sum::<f64>() / windows;
    let memory = seen.last().map_or(0.0, |window| window.memory);
    Ok(json!({
        "n": count,
        "minutes": round(begun.elapsed().as_secs_f64() / 60.0),
        "seconds_to_join_all": round(joined_in.as_secs_f64()),
        "lost": told["lost"],
        "reconnected": told["reconnecting"],
        "connections_of_the_engine": told["connections"],
        "cpu_percent": round(cpu),
        "cpu_percent_per_connection": cpu / per,
        "memory_mb_before": round(before),
        "memory_mb_after_joining": round(seen.first().map_or(0.0, |window| window.memory)),
        "memory_mb": round(memory),
        "memory_kb_per_connection": round((memory - before) * 1_024.0 / per),
        "machine_idle_percent": round(idle),
    }))
}
