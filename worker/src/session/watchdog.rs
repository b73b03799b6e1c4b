//! Core: is this session half dead? Facts every two seconds: what should flow, and what did.
//!
//! Owns one stopwatch per place that can be stuck. It counts only time in which something should
//! have flowed, so silence is no fault. It says what is stuck and what to do about it, each remedy
//! once; it does nothing itself, and it knows no reason why.

use std::time::{Duration, Instant};

/// What was seen lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// The link to the room is being repaired or made anew.
    pub(super) is_away: bool,
    /// Microphones that should be received and are not muted.
    pub(super) microphones: usize,
    /// Audio packets received since the room was joined; `None` = not known now.
    pub(super) received: Option<u64>,
    /// Audio packets sent since the room was joined; `None` = not known now.
    pub(super) sent: Option<u64>,
    /// The agent is speaking.
    pub(super) is_speaking: bool,
    /// An answer of the model is awaited.
    pub(super) is_thinking: bool,
    /// Everything the model has said so far, in events.
    pub(super) model_events: u64,
}

/// What may be stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Nothing is heard of people whose microphones are on.
    Ears,
    /// The link to the room does not come back.
    Link,
    /// The model owes an answer and says nothing at all.
    Model,
    /// The agent speaks and nothing leaves.
    Voice,
}

impl Place {
    /// In a word, for logs, metrics and front ends.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ears => "ears",
            Self::Link => "link",
            Self::Model => "model",
            Self::Voice => "voice",
        }
    }
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// End the session.
    End,
    /// Leave the room and join it again.
    Rejoin,
    /// Ask for the microphones again.
    Resubscribe,
}

impl Remedy {
    /// In a word, for logs and metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Rejoin => "rejoin",
            Self::Resubscribe => "resubscribe",
        }
    }
}

/// What a look at the facts came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing new.
    Healthy,
    /// What was stuck flows again.
    Recovered(Place),
    /// It is stuck, and this is to be done now.
    Stuck(Place, Remedy),
}

/// A place, how long it may stand still, and what is done each time that has passed.
struct Rule {
    place: Place,
    limit: Duration,
    remedies: &'static [Remedy],
}

/// All remedies of a place come within a minute. Microphones get longest: a phone that lost its
/// network is silent until its server notices, after fifteen seconds.
const RULES: [Rule; 4] = [
    Rule {
        place: Place::Ears,
        limit: Duration::from_secs(20),
        remedies: &[Remedy::Resubscribe, Remedy::Rejoin],
    },
    Rule {
        place: Place::Link,
        limit: Duration::from_secs(30),
        remedies: &[Remedy::Rejoin],
    },
    Rule {
        place: Place::Model,
        limit: Duration::from_secs(45),
        remedies: &[Remedy::End],
    },
    Rule {
        place: Place::Voice,
        limit: Duration::from_secs(6),
        remedies: &[Remedy::Rejoin, Remedy::End],
    },
];

/// The longest time one look may stand for: a worker that slept does not find everything stuck.
const LONGEST_STEP: Duration = Duration::from_secs(4);

/// Watches one session.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    last: Option<(Instant, Facts)>,
    stalls: [Stall; RULES.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct Stall {
    lasted: Duration,
    /// How many have been asked for.
    remedies: usize,
    /// It was said to be stuck and has flowed since; that is still to be said.
    has_recovered: bool,
}

/// How it went at one place since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Flowing,
    /// There is nothing here that could be stuck.
    Nobody,
    NothingExpected,
    Standing,
}

impl Watchdog {
    /// Looks at the facts. At most one verdict each time; the rest waits for the next look.
    pub(super) fn look(&mut self, now: Instant, facts: Facts) -> Verdict {
        let Some((before, last)) = self.last.replace((now, facts)) else {
            return Verdict::Healthy;
        };
        let step = now.saturating_duration_since(before).min(LONGEST_STEP);
        let mut verdict = Verdict::Healthy;
        for (rule, stall) in RULES.iter().zip(&mut self.stalls) {
            stall.pass(flow(rule.place, &last, &facts), step);
            if verdict == Verdict::Healthy {
                verdict = stall.verdict(rule);
            }
        }
        verdict
    }

    /// The first place that was said to be stuck and has not been said to have recovered.
    pub(super) fn stuck(&self) -> Option<Place> {
        let stuck = |(_, stall): &(&Rule, &Stall)| stall.remedies > 0 || stall.has_recovered;
        let (rule, _) = RULES.iter().zip(&self.stalls).find(stuck)?;
        Some(rule.place)
    }
}

impl Stall {
    fn pass(&mut self, flow: Flow, step: Duration) {
        match flow {
            Flow::Flowing => {
                *self = Self {
                    has_recovered: self.has_recovered || self.remedies > 0,
                    ..Self::default()
                }
            }
            Flow::Nobody if self.remedies > 0 => {
                *self = Self {
                    has_recovered: true,
                    ..Self::default()
                }
            }
            Flow::Nobody | Flow::NothingExpected => {}
            Flow::Standing => self.lasted += step,
        }
    }

    /// What is to be said now. A remedy that is said here counts as tried.
    fn verdict(&mut self, rule: &Rule) -> Verdict {
        if std::mem::take(&mut self.has_recovered) {
            return Verdict::Recovered(rule.place);
        }
        let limit = rule.limit * (self.remedies as u32 + 1);
        match rule.remedies.get(self.remedies) {
            Some(remedy) if self.lasted >= limit => {
                self.remedies += 1;
                Verdict::Stuck(rule.place, *remedy)
            }
            _ => Verdict::Healthy,
        }
    }
}

fn flow(place: Place, last: &Facts, now: &Facts) -> Flow {
    let is_here = !last.is_away && !now.is_away;
    match place {
        Place::Ears if is_here && now.microphones == 0 => Flow::Nobody,
        Place::Ears => {
            let expected = is_here && last.microphones > 0 && now.microphones > 0;
            counted(expected, last.received, now.received)
        }
        Place::Voice => {
            let expected = is_here && last.is_speaking && now.is_speaking;
            counted(expected, last.sent, now.sent)
        }
        Place::Link if now.is_away => Flow::Standing,
        Place::Link => Flow::Flowing,
        Place::Model if last.model_events != now.model_events => Flow::Flowing,
        Place::Model if last.is_thinking && now.is_thinking => Flow::Standing,
        // The question was taken back; the next one has its own time.
        Place::Model => Flow::Flowing,
    }
}

fn counted(expected: bool, last: Option<u64>, now: Option<u64>) -> Flow {
    match (last, now) {
        (Some(last), Some(now)) if last < now => Flow::Flowing,
        // Counted anew since a rejoin: that says nothing yet.
        (Some(last), Some(now)) if last > now => Flow::NothingExpected,
        (Some(_), Some(_)) if expected => Flow::Standing,
        _ => Flow::NothingExpected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(2);

    /// A conversation in which everything flows.
    fn healthy(look: u64) -> Facts {
        Facts {
            is_away: false,
            microphones: 1,
            received: Some(look * 100),
            sent: Some(look * 100),
            is_speaking: true,
            is_thinking: false,
            model_events: look,
        }
    }

    /// Looks every two seconds for two minutes; verdicts other than healthy, and when.
    fn watched(facts: impl Fn(u64) -> Facts) -> Vec<(u64, Verdict)> {
        let start = Instant::now();
        let mut watchdog = Watchdog::default();
        let look = |n: u64| {
            let verdict = watchdog.look(start + EVERY * n as u32, facts(n));
            (verdict != Verdict::Healthy).then_some((n * EVERY.as_secs(), verdict))
        };
        (0..60).filter_map(look).collect()
    }

    #[test]
    fn a_conversation_that_flows_is_healthy() {
        assert!(watched(healthy).is_empty());
    }

    #[test]
    fn a_deaf_session_asks_again_then_joins_again_and_then_leaves_it_at_that() {
        let deaf = |n| Facts {
            received: Some(7),
            ..healthy(n)
        };
        let expected = [
            (20, Verdict::Stuck(Place::Ears, Remedy::Resubscribe)),
            (40, Verdict::Stuck(Place::Ears, Remedy::Rejoin)),
        ];
        assert_eq!(watched(deaf), expected);
    }

    #[test]
    fn a_muted_or_absent_microphone_is_no_fault() {
        let quiet = |n| Facts {
            microphones: 0,
            received: Some(7),
            ..healthy(n)
        };
        assert!(watched(quiet).is_empty());
    }

    #[test]
    fn a_voice_that_does_not_leave_is_published_anew_and_then_the_session_ends() {
        let mute = |n| Facts {
            sent: Some(7),
            ..healthy(n)
        };
        let expected = [
            (6, Verdict::Stuck(Place::Voice, Remedy::Rejoin)),
            (12, Verdict::Stuck(Place::Voice, Remedy::End)),
        ];
        assert_eq!(watched(mute), expected);
    }

    #[test]
    fn short_sentences_that_do_not_leave_add_up() {
        // Speaks for six seconds, listens for four.
        let mute = |n| Facts {
            sent: Some(7),
            is_speaking: n % 5 < 3,
            ..healthy(n)
        };
        let first = watched(mute).first().copied();
        let stuck = Verdict::Stuck(Place::Voice, Remedy::Rejoin);
        assert!(
            first.is_some_and(|(at, v)| v == stuck && at < 20),
            "{first:?}"
        );
    }

    #[test]
    fn an_agent_that_listens_sends_nothing_and_is_healthy() {
        let listens = |n| Facts {
            sent: Some(7),
            is_speaking: false,
            ..healthy(n)
        };
        assert!(watched(listens).is_empty());
    }

    #[test]
    fn a_link_that_does_not_come_back_is_made_anew_within_the_minute() {
        let away = |n| Facts {
            is_away: true,
            received: None,
            sent: None,
            ..healthy(n)
        };
        let expected = [(30, Verdict::Stuck(Place::Link, Remedy::Rejoin))];
        assert_eq!(watched(away), expected);
    }

    #[test]
    fn a_model_that_owes_an_answer_and_says_nothing_ends_the_session() {
        let silent = |n| Facts {
            is_thinking: true,
            is_speaking: false,
            model_events: 3,
            ..healthy(n)
        };
        let expected = [(46, Verdict::Stuck(Place::Model, Remedy::End))];
        assert_eq!(watched(silent), expected);
    }

    #[test]
    fn what_flows_again_is_said_once() {
        let heals = |n| Facts {
            received: Some(if n < 12 { 7 } else { n }),
            ..healthy(n)
        };
        let expected = [
            (20, Verdict::Stuck(Place::Ears, Remedy::Resubscribe)),
            (24, Verdict::Recovered(Place::Ears)),
        ];
        assert_eq!(watched(heals), expected);
    }

    #[test]
    fn a_count_that_begins_anew_after_a_rejoin_is_no_flow() {
        // Mute, and the remedy is carried out between two looks.
        let mute = |n| Facts {
            sent: Some(if n <= 3 { 700 } else { 0 }),
            ..healthy(n)
        };
        let expected = [
            (6, Verdict::Stuck(Place::Voice, Remedy::Rejoin)),
            (14, Verdict::Stuck(Place::Voice, Remedy::End)),
        ];
        assert_eq!(watched(mute), expected);
    }

    #[test]
    fn a_silent_person_who_leaves_takes_the_fault_along() {
        let leaves = |n| Facts {
            microphones: usize::from(n < 12),
            received: Some(7),
            ..healthy(n)
        };
        let expected = [
            (20, Verdict::Stuck(Place::Ears, Remedy::Resubscribe)),
            (24, Verdict::Recovered(Place::Ears)),
        ];
        assert_eq!(watched(leaves), expected);
    }

    #[test]
    fn what_is_still_stuck_is_said_when_something_else_recovers() {
        let start = Instant::now();
        let mut watchdog = Watchdog::default();
        let deaf_then_mute = |n: u64| Facts {
            received: Some(7),
            sent: Some(if (8..12).contains(&n) { 7 } else { n * 100 }),
            ..healthy(n)
        };
        for n in 0..12 {
            watchdog.look(start + EVERY * n as u32, deaf_then_mute(n));
        }
        assert_eq!(watchdog.stuck(), Some(Place::Ears));
        let recovered = watchdog.look(start + EVERY * 12, deaf_then_mute(12));
        assert_eq!(recovered, Verdict::Recovered(Place::Voice));
        assert_eq!(watchdog.stuck(), Some(Place::Ears));
    }

    #[test]
    fn two_places_that_are_stuck_at_once_are_both_healed() {
        // Deaf from the beginning, and from the fourteenth second on mute as well.
        let both = |n| Facts {
            received: Some(7),
            sent: Some(7),
            is_speaking: n >= 7,
            ..healthy(n)
        };
        let expected = [
            (20, Verdict::Stuck(Place::Ears, Remedy::Resubscribe)),
            (22, Verdict::Stuck(Place::Voice, Remedy::Rejoin)),
            (26, Verdict::Stuck(Place::Voice, Remedy::End)),
            (40, Verdict::Stuck(Place::Ears, Remedy::Rejoin)),
        ];
        assert_eq!(watched(both), expected);
    }

    #[test]
    fn a_worker_that_slept_finds_nothing_stuck() {
        let start = Instant::now();
        let mut watchdog = Watchdog::default();
        let deaf = Facts {
            received: Some(7),
            ..healthy(1)
        };
        watchdog.look(start, deaf);
        let later = start + Duration::from_secs(3_600);
        assert_eq!(watchdog.look(later, deaf), Verdict::Healthy);
    }
}
