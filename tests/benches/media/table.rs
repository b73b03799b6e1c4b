//! Core: the rows of the cost table, as JSON and as Markdown.

use serde_json::{Value, json};

use crate::process::Window;

/// Less than this of the machine idle means that the processor was fought for.
const SATURATED: f64 = 30.0;

/// What one process cost with so many sessions doing one thing.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Which process.
    pub(crate) part: &'static str,
    /// What its sessions did.
    pub(crate) doing: &'static str,
    pub(crate) sessions: usize,
    pub(crate) seen: Window,
    /// What is subtracted: processor time of the process at rest, in percent of a core.
    pub(crate) cpu_at_rest: f64,
    /// Its memory before the first session, in MB.
    pub(crate) memory_before: f64,
    /// Packets per session and second: from people, to people.
    pub(crate) packets: (f64, f64),
    /// What is wanted: percent of a core, and MB, per session.
    pub(crate) wanted: (Option<f64>, Option<f64>),
}

impl Row {
    /// Percent of a core per session.
    pub(crate) fn cpu(&self) -> f64 {
        (self.seen.cpu - self.cpu_at_rest) / self.sessions.max(1) as f64
    }

    /// MB per session.
    pub(crate) fn memory(&self) -> f64 {
        (self.seen.memory - self.memory_before) / self.sessions.max(1) as f64
    }

    /// MB for each session beyond those of another row, which has fewer.
    pub(crate) fn memory_beyond(&self, fewer: &Self) -> Option<f64> {
        let further = self.sessions.checked_sub(fewer.sessions)?;
        (further > 0).then(|| (self.seen.memory - fewer.seen.memory) / further as f64)
    }

    pub(crate) fn is_saturated(&self) -> bool {
        self.seen.machine_idle < SATURATED
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "part": self.part,
            "doing": self.doing,
            "n": self.sessions,
            "seconds": round(self.seen.length.as_secs_f64()),
            "cpu_percent_per_session": round(self.cpu()),
            "cpu_percent": round(self.seen.cpu),
            "cpu_percent_at_rest": round(self.cpu_at_rest),
            "memory_mb_per_session": round(self.memory()),
            "memory_mb": round(self.seen.memory),
            "machine_idle_percent": round(self.seen.machine_idle),
            "saturated": self.is_saturated(),
            "packets_per_session_second_from_people": round(self.packets.0),
            "packets_per_session_second_to_people": round(self.packets.1),
            "wanted_cpu_percent_per_session": self.wanted.0,
            "wanted_memory_mb_per_session": self.wanted.1,
        })
    }

    pub(crate) fn to_markdown(&self) -> String {
        let Self { part, doing, .. } = self;
        let n = self.sessions;
        let wanted = |value: Option<f64>, unit: &str| {
            value.map_or(String::new(), |value| format!(" (≤ {value} {unit})"))
        };
        format!(
            "| {part} | {doing} | {n} | {:.2} %{} | {:.2} MB{} | {:.0} %{} | {:.0} s |",
            self.cpu(),
            wanted(self.wanted.0, "%"),
            self.memory(),
            wanted(self.wanted.1, "MB"),
            self.seen.machine_idle,
            if self.is_saturated() {
                ", *saturated*"
            } else {
                ""
            },
            self.seen.length.as_secs_f64(),
        )
    }
}

/// Above [`Row::to_markdown`].
pub(crate) const HEAD: &str = "\
| process | its sessions | n | a core, per session | memory, per session | machine idle | window |
|---|---|---|---|---|---|---|";

/// What follows from several rows: what the codec has of a session's cost, what each further session takes, and
/// whether a hundred sessions cost a hundred times as much as one.
pub(crate) fn conclusions(rows: &[Row]) -> Vec<Value> {
    let mut found = Vec::new();
    for row in rows.iter().filter(|row| row.sessions > 0) {
        let same = |other: &&Row| (other.part, other.doing) == (row.part, row.doing);
        let mut conclusion = json!({ "part": row.part, "doing": row.doing, "n": row.sessions });
        let bare = format!("{}, without the codec", row.doing);
        let is_bare = |other: &&Row| {
            (other.part, other.sessions) == (row.part, row.sessions) && other.doing == bare
        };
        if let Some(bare) = rows.iter().find(is_bare) {
            conclusion["codec_percent_per_session"] = round(row.cpu() - bare.cpu()).into();
        }
        let fewest = rows.iter().filter(same).find(|other| other.sessions > 0);
        if let Some(memory) = fewest.and_then(|fewest| row.memory_beyond(fewest)) {
            conclusion["memory_mb_per_further_session"] = round(memory).into();
        }
        let ten = rows.iter().filter(same).find(|other| other.sessions == 10);
        if let Some(ten) = ten.filter(|ten| ten.sessions < row.sessions) {
            conclusion["cpu_of_that_at_ten"] = round(row.cpu() / ten.cpu()).into();
        }
        if conclusion.as_object().is_some_and(|found| found.len() > 3) {
            found.push(conclusion);
        }
    }
    found
}

/// To thousandths.
pub(crate) fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
