//! Core: what is said of a job waits until the server knows the job.
//!
//! livekit-server sends an assignment before it notes that the job runs, and drops what it hears of
//! a job in between: a job refused at once would run for ever in the eyes of whoever asks.

use std::time::{Duration, Instant};

/// What the server gets to note an assignment; it takes it a fraction of that.
pub(super) const SETTLING: Duration = Duration::from_millis(250);

/// Jobs assigned lately, and what was said of them; the latter bounded by those who say it.
#[derive(Debug)]
pub(super) struct Settling<T> {
    assigned: Vec<(String, Instant)>,
    waiting: Vec<(Instant, T)>,
}

impl<T> Default for Settling<T> {
    fn default() -> Self {
        Self {
            assigned: Vec::new(),
            waiting: Vec::new(),
        }
    }
}

impl<T> Settling<T> {
    /// The server has just assigned a job.
    pub(super) fn assigned(&mut self, now: Instant, job: &str) {
        self.assigned.retain(|(_, at)| now < *at + SETTLING);
        self.assigned.push((job.to_owned(), now));
    }

    /// Gives back what may be said now, and keeps what has to wait.
    pub(super) fn say(&mut self, now: Instant, job: &str, words: T) -> Option<T> {
        let of_job = |(known, at): &&(String, Instant)| known == job && now < *at + SETTLING;
        match self.assigned.iter().find(of_job) {
            Some((_, at)) => {
                self.waiting.push((*at + SETTLING, words));
                None
            }
            None => Some(words),
        }
    }

    /// When something may be said.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|(due, _)| *due).min()
    }

    /// What may be said now, in the order it was to be said.
    pub(super) fn due(&mut self, now: Instant) -> Vec<T> {
        let is_due = |(due, _): &mut (Instant, T)| *due <= now;
        let due = self.waiting.extract_if(.., is_due);
        due.map(|(_, words)| words).collect()
    }

    /// Everything: there will be no later.
    pub(super) fn rest(&mut self) -> Vec<T> {
        self.waiting.drain(..).map(|(_, words)| words).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_new_job_waits_and_keeps_its_order() {
        let start = Instant::now();
        let mut settling = Settling::default();
        settling.assigned(start, "AJ_1");
        assert_eq!(settling.say(start, "AJ_0", "over"), Some("over"));
        assert_eq!(settling.say(start, "AJ_1", "runs"), None);
        assert_eq!(settling.say(start, "AJ_1", "failed"), None);
        assert_eq!(settling.deadline(), Some(start + SETTLING));
        assert!(settling.due(start + SETTLING / 2).is_empty());
        assert_eq!(settling.due(start + SETTLING), ["runs", "failed"]);
        assert_eq!(settling.deadline(), None);
        let later = settling.say(start + SETTLING, "AJ_1", "over");
        assert_eq!(later, Some("over"));
    }

    #[test]
    fn nothing_is_kept_back_at_the_end() {
        let start = Instant::now();
        let mut settling = Settling::default();
        settling.assigned(start, "AJ_1");
        assert_eq!(settling.say(start, "AJ_1", "failed"), None);
        assert_eq!(settling.rest(), ["failed"]);
    }
}
