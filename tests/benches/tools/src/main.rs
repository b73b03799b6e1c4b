//! Figures of the tool plane, as JSON: what the gateway and a durable intent cost, what success is left
//! among faults, and what is on record after the process was killed.
//!
//!     bench-tools [--calls N] [--kills N]
//!     bench-tools --stalls
//!
//! The second takes two minutes and shows what tools that block their thread do to sound.
//!
//! Nothing is asserted; `reached` says what was wanted.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

mod faults;
mod kills;
mod overhead;
mod redactor;
mod stalls;
mod victim;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Calls per row.
const CALLS: usize = 20_000;
/// Kills unless told otherwise; `--kills 1000` takes about ten minutes.
const KILLS: usize = 100;

fn main() -> Result<()> {
    // Only tools that ask over HTTP need it; a second one is refused, and that is fine.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if std::env::args().nth(1).as_deref() == Some("victim") {
        return runtime.block_on(victim::live());
    }
    let calls = number_after("--calls")?.unwrap_or(CALLS);
    let kills = number_after("--kills")?.unwrap_or(KILLS);
    let is_about_stalls = std::env::args().any(|word| word == "--stalls");
    let report = runtime.block_on(async {
        if is_about_stalls {
            return Ok(json!({ "figures": stalls::measure().await? }));
        }
        let mut rows = overhead::measure(calls).await?;
        rows.push(redactor::measure());
        rows.push(faults::measure(calls / 4).await?);
        rows.push(kills::measure(kills).await?);
        Ok::<_, Box<dyn Error>>(json!({ "figures": rows }))
    })?;
    #[expect(clippy::print_stdout, reason = "the figures are this program's output")]
    {
        println!("{report:#}");
    }
    Ok(())
}

fn number_after(word: &str) -> Result<Option<usize>> {
    let mut words = std::env::args().skip_while(|arg| arg != word).skip(1);
    Ok(words.next().map(|number| number.parse()).transpose()?)
}

/// Times of one kind.
#[derive(Debug, Default)]
struct Times(Vec<Duration>);

impl Times {
    fn push(&mut self, since: Instant) {
        self.0.push(since.elapsed());
    }

    /// In microseconds; `share` of all are not longer.
    fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort();
        let last = sorted.len().saturating_sub(1);
        let at = (last as f64 * share).ceil() as usize;
        sorted
            .get(at)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    }

    fn row(&self, name: &str) -> Value {
        json!({
            "name": name,
            "unit": "us",
            "n": self.0.len(),
            "p50": round(self.quantile(0.5)),
            "p99": round(self.quantile(0.99)),
            "max": round(self.quantile(1.0)),
        })
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn say(what: &str) {
    #[expect(clippy::print_stderr, reason = "progress of minutes")]
    {
        eprintln!("  … {what}");
    }
}
