//! What a process and the machine did during a while, from the process table. Linux counts processor time in
//! hundredths of a second, so a window is long.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::Result;

/// Linux's unit of processor time, on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// What was seen during one window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// How long it was.
    pub(crate) length: Duration,
    /// User and system time of the process, in percent of one core.
    pub(crate) cpu: f64,
    /// Resident memory of the process at the end, in MB.
    pub(crate) memory: f64,
    /// How much of the whole machine did nothing, in percent.
    pub(crate) machine_idle: f64,
}

/// Watches a process for so long.
pub(crate) async fn watch(id: u32, length: Duration) -> Result<Window> {
    let (cpu, machine, begun) = (cpu_ticks(id)?, Machine::read()?, Instant::now());
    tokio::time::sleep(length).await;
    let length = begun.elapsed();
    let used = (cpu_ticks(id)? - cpu) / TICKS_PER_SECOND;
    Ok(Window {
        length,
        cpu: 100.0 * used / length.as_secs_f64(),
        memory: memory(id)?,
        machine_idle: Machine::read()?.idle_since(&machine),
    })
}

/// Resident memory in MB.
pub(crate) fn memory(id: u32) -> Result<f64> {
    let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
    let line = rollup.lines().find(|line| line.starts_with("Rss:"));
    let kilobytes: f64 = line
        .and_then(|line| line.split_whitespace().nth(1))
        .ok_or("no resident memory in the process table")?
        .parse()?;
    Ok(kilobytes / 1_024.0)
}

fn cpu_ticks(id: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name stands in parentheses and may hold spaces; the 12th and 13th fields after it are user and
    // system time.
    let (_, fields) = stat
        .rsplit_once(')')
        .ok_or("no name in the process table")?;
    let times = fields.split_whitespace().skip(11).take(2);
    let ticks: std::result::Result<Vec<f64>, _> = times.map(str::parse).collect();
    Ok(ticks?.into_iter().sum())
}

/// Time of all processors since the start.
struct Machine {
    idle: f64,
    all: f64,
}

impl Machine {
    fn read() -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().unwrap_or_default();
        // user nice system idle iowait irq softirq steal; guests are part of user.
        let times = line.split_whitespace().skip(1).take(8).map(str::parse);
        let times: Vec<f64> = times.collect::<std::result::Result<_, _>>()?;
        let idle = times.iter().skip(3).take(2).sum();
        Ok(Self {
            idle,
            all: times.iter().sum(),
        })
    }

    fn idle_since(&self, before: &Self) -> f64 {
        100.0 * (self.idle - before.idle) / (self.all - before.all).max(1.0)
    }
}
