//! Where the worker's time goes with many calls, half of whose agents speak while the others listen: samples of its
//! call stacks, as a flame graph and by part of the program.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tests::{child::Scratch, livekit_server::LivekitServer};
use tokio::process::Command;

use crate::{
    Doing, Result, SETTLE, calls::Calls, flame, people::Says, process, stacks, table::round,
};

/// Samples per second and processor; odd, so that it is no multiple of anybody's clock.
const RATE: u32 = 297;
/// Bytes of the stack that are kept with each sample, from which its callers are found.
const STACK: &str = "dwarf,32768";
/// How many costs are named.
const NAMED: usize = 25;

/// Looks at so many calls for so long and draws the picture there.
pub(crate) async fn draw(calls: usize, length: Duration, to: &Path) -> Result<Value> {
    let livekit = LivekitServer::start().await;
    let mut bench = Calls::prepare(&livekit, calls).await?;
    let doing = |who: usize| [Doing::Speaks, Doing::Listens][who % 2];
    crate::progress(&format!("{calls} calls"));
    bench.grow_to(calls, doing).await?;
    bench.people.say(Says::Half);
    tokio::time::sleep(2 * SETTLE).await;
    let id = bench.process()?;
    crate::progress("samples");
    let seen = process::watch(id, length).await?;
    let scratch = Scratch::new("profile")?;
    let data = scratch.path().join("perf.data");
    let mut record = Command::new("perf");
    record
        .args(["record", "-q", "-e", "cpu-clock", "-F", &RATE.to_string()])
        .args(["--call-graph", STACK, "-p", &id.to_string(), "-o"])
        .arg(&data)
        .args(["--", "sleep", &length.as_secs().to_string()]);
    run(&mut record).await?;
    bench.people.leave().await;
    crate::progress("stacks");
    let mut script = Command::new("perf");
    script
        .args(["script", "--no-inline", "-F", "comm,ip,sym", "-i"])
        .arg(&data);
    let text = run(&mut script).await?;
    let stacks = stacks::read(&text);
    let title = format!(
        "The worker with {calls} calls, half of whose agents speak: {} samples of {:.1} % of a core",
        stacks.len(),
        seen.cpu
    );
    std::fs::write(to, flame::draw(&title, &stacks))?;
    let [owners, functions] = stacks::shares(&stacks);
    let shown = |shares: &[(String, f64)]| -> Vec<Value> {
        let row = |(name, share): &(String, f64)| {
            json!({ "what": name, "percent": round(*share),
                "percent_of_a_core_per_call": round(share / 100.0 * seen.cpu / calls.max(1) as f64) })
        };
        shares.iter().take(NAMED).map(row).collect()
    };
    Ok(json!({
        "calls": calls,
        "samples": stacks.len(),
        "cpu_percent": round(seen.cpu),
        "machine_idle_percent": round(seen.machine_idle),
        "parts": shown(&owners),
        "functions": shown(&functions),
        "picture": to.display().to_string(),
    }))
}

async fn run(command: &mut Command) -> Result<String> {
    let output = command.kill_on_drop(true).output().await;
    let output = output.map_err(|error| format!("perf (package linux-perf): {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("perf failed: {}", why.trim()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
