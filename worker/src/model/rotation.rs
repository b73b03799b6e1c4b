//! Core: when a session's connection to the model is to be replaced by a fresh one.
//!
//! A long conversation makes the model slower and dearer, and the provider ends every connection
//! after an hour. Owns what is known of the present connection: its age, its turns and how long their
//! answers took. Only wishes: the link opens the spare, and the conversation chooses the moment.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Problem;

/// Answers that are compared: the first of a connection with the latest.
const COMPARED: usize = 5;
/// Less than this is no drift that anybody notices.
const NOTICEABLE: Duration = Duration::from_millis(200);

/// The `[model.rotation]` table: when a fresh connection takes over.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Answered turns after which it does, 1 to 10000; 0 = never for this reason. Default 10.
    #[schemars(range(max = 10_000))]
    pub turns: u32,
    /// How many times longer than at first the answers take when it does, 1.1 to 100. Default 1.5.
    #[schemars(range(min = 1.1, max = 100.0))]
    pub drift: f64,
    /// Age of a connection at which it does, 1m to 59m. Default 50m: providers end it after an hour.
    #[serde(with = "crate::config::duration")]
    #[schemars(schema_with = "crate::config::duration::schema")]
    pub age: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            turns: 10,
            drift: 1.5,
            age: Duration::from_secs(50 * 60),
        }
    }
}

impl Config {
    /// What the schema cannot express, with paths below this table.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let ages = Duration::from_secs(60)..=Duration::from_secs(59 * 60);
        if ages.contains(&self.age) {
            return Vec::new();
        }
        vec![Problem::new("rotation.age", "expected 1m to 59m")]
    }
}

/// Why a connection is to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is old.
    Age,
    /// Its answers take longer and longer.
    Drift,
    /// Somebody with authority wants it.
    Command,
    /// It has answered many turns.
    Turns,
}

impl Why {
    /// The word for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Command => "command",
            Self::Drift => "drift",
            Self::Turns => "turns",
        }
    }
}

/// What is known of the present connection.
#[derive(Debug)]
pub struct Rotation {
    config: Config,
    /// `None` = there is no connection.
    since: Option<Instant>,
    turns: u32,
    first: Vec<Duration>,
    latest: Vec<Duration>,
    is_commanded: bool,
    is_wanted: bool,
}

impl Rotation {
    /// Nothing is known yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            since: None,
            turns: 0,
            first: Vec::new(),
            latest: Vec::new(),
            is_commanded: false,
            is_wanted: false,
        }
    }

    /// A fresh connection serves.
    pub fn on_up(&mut self, now: Instant) {
        *self = Self::new(self.config);
        self.since = Some(now);
    }

    /// The connection is gone.
    pub fn on_down(&mut self) {
        *self = Self::new(self.config);
    }

    /// Somebody with authority wants a fresh connection.
    pub fn on_command(&mut self) {
        self.is_commanded = true;
    }

    /// A turn was answered after this long.
    pub fn on_answer(&mut self, took: Duration) {
        self.turns += 1;
        if self.first.len() < COMPARED {
            self.first.push(took);
        }
        if self.latest.len() == COMPARED {
            self.latest.remove(0);
        }
        self.latest.push(took);
    }

    /// Why a spare is wanted; told once per connection.
    pub fn wish(&mut self, now: Instant) -> Option<Why> {
        let since = self.since.filter(|_| !self.is_wanted)?;
        let why = match () {
            () if self.is_commanded => Why::Command,
            () if now.saturating_duration_since(since) >= self.config.age => Why::Age,
            () if self.config.turns > 0 && self.turns >= self.config.turns => Why::Turns,
            () if self.drifts() => Why::Drift,
            () => return None,
        };
        self.is_wanted = true;
        Some(why)
    }

    fn drifts(&self) -> bool {
        if self.turns < 2 * COMPARED as u32 {
            return false;
        }
        let (first, latest) = (median(&self.first), median(&self.latest));
        latest > first.mul_f64(self.config.drift) && latest > first + NOTICEABLE
    }
}

fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn rotation(turns: u32, now: Instant) -> Rotation {
        let mut rotation = Rotation::new(Config {
            turns,
            ..Config::default()
        });
        rotation.on_up(now);
        rotation
    }

    fn answers(rotation: &mut Rotation, count: usize, millis: u64) {
        for _ in 0..count {
            rotation.on_answer(Duration::from_millis(millis));
        }
    }

    #[test]
    fn many_turns_are_a_reason_and_told_once() {
        let now = Instant::now();
        let mut rotation = rotation(10, now);
        answers(&mut rotation, 9, 500);
        assert_eq!(rotation.wish(now), None);
        answers(&mut rotation, 1, 500);
        assert_eq!(rotation.wish(now), Some(Why::Turns));
        answers(&mut rotation, 1, 500);
        assert_eq!(rotation.wish(now), None);
        rotation.on_up(now);
        answers(&mut rotation, 10, 500);
        assert_eq!(rotation.wish(now), Some(Why::Turns));
    }

    #[test]
    fn answers_that_take_longer_and_longer_are_a_reason() {
        let now = Instant::now();
        let mut steady = rotation(0, now);
        answers(&mut steady, 100, 500);
        assert_eq!(steady.wish(now), None);
        let mut slower = rotation(0, now);
        answers(&mut slower, 10, 500);
        answers(&mut slower, 3, 900);
        assert_eq!(slower.wish(now), Some(Why::Drift));
        let mut quick = rotation(0, now);
        answers(&mut quick, 10, 100);
        answers(&mut quick, 5, 250);
        assert_eq!(quick.wish(now), None, "nobody notices");
    }

    #[test]
    fn a_command_is_a_reason_once() {
        let now = Instant::now();
        let mut rotation = rotation(0, now);
        rotation.on_command();
        assert_eq!(rotation.wish(now), Some(Why::Command));
        assert_eq!(rotation.wish(now), None);
        rotation.on_up(now);
        assert_eq!(rotation.wish(now), None);
    }

    #[test]
    fn one_slow_answer_is_no_drift() {
        let now = Instant::now();
        let mut rotation = rotation(0, now);
        answers(&mut rotation, 12, 500);
        answers(&mut rotation, 1, 5_000);
        assert_eq!(rotation.wish(now), None);
    }

    #[test]
    fn age_is_a_reason_and_no_connection_is_none() {
        let now = Instant::now();
        let mut rotation = rotation(10, now);
        assert_eq!(rotation.wish(now + 49 * MINUTE), None);
        rotation.on_down();
        assert_eq!(rotation.wish(now + 51 * MINUTE), None);
        rotation.on_up(now);
        assert_eq!(rotation.wish(now + 51 * MINUTE), Some(Why::Age));
    }
}
