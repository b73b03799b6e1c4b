//! Core: samples, their median and 95th percentile, and the JSON they are printed as.

use std::time::Duration;

use serde_json::{Value, json};

/// One figure: a name, a unit, samples, and what is wanted of its 95th percentile.
#[derive(Debug)]
pub(crate) struct Figure {
    name: &'static str,
    unit: &'static str,
    wanted: f64,
    samples: Vec<f64>,
}

impl Figure {
    /// `wanted` is NaN when nothing was promised.
    pub(crate) fn new(name: &'static str, unit: &'static str, wanted: f64) -> Self {
        Self {
            name,
            unit,
            wanted,
            samples: Vec::new(),
        }
    }

    /// The same under another name.
    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(crate) fn push(&mut self, sample: f64) {
        self.samples.push(sample);
    }

    pub(crate) fn last(&self) -> f64 {
        self.samples.last().copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn count(&self) -> usize {
        self.samples.len()
    }

    /// The smallest sample that is not below this share of all.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let index = (ratio(sorted.len()) * share).ceil();
        let index = (1..=sorted.len()).find(|rank| ratio(*rank) >= index)?;
        sorted.get(index - 1).copied()
    }

    pub(crate) fn mean(&self) -> Option<f64> {
        let sum: f64 = self.samples.iter().sum();
        (!self.samples.is_empty()).then(|| sum / ratio(self.samples.len()))
    }

    fn to_json(&self) -> Value {
        let round = |value: Option<f64>| value.map(|value| (value * 100.0).round() / 100.0);
        let wanted = if self.wanted.is_nan() {
            None
        } else {
            Some(self.wanted)
        };
        let p95 = self.quantile(0.95);
        json!({
            "name": self.name,
            "unit": self.unit,
            "n": self.samples.len(),
            "median": round(self.quantile(0.5)),
            "p95": round(p95),
            "max": round(self.quantile(1.0)),
            "wanted_p95": wanted,
            "reached": wanted.and_then(|wanted| p95.map(|p95| p95 <= wanted)),
        })
    }
}

/// All figures, and the machine they were taken on.
#[derive(Debug, Default)]
pub(crate) struct Report(Vec<Figure>);

impl Report {
    pub(crate) fn add(&mut self, figure: Figure) {
        self.0.push(figure);
    }

    pub(crate) fn extend(&mut self, figures: Vec<Figure>) {
        self.0.extend(figures);
    }

    pub(crate) fn into_json(self) -> Value {
        let figures: Vec<Value> = self.0.iter().map(Figure::to_json).collect();
        json!({ "machine": machine(), "figures": figures })
    }
}

/// Milliseconds of a duration.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// A small count as a number to divide by.
pub(crate) fn ratio(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Processor and cores of this machine.
pub(crate) fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    json!({ "cpu": model, "cores": cores })
}
