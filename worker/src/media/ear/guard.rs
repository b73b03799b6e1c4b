//! Core: speech of a person, or the agent's own voice that comes back through their microphone.
//!
//! The first echo of an ear interrupts the agent for a moment, until it is recognised. From then on
//! the ear is known: while an echo may come, sound waits there until it is clear that it is none.
//! Owns what is known of the ear; does not compare sounds (`media/echo.rs`) and does not detect
//! speech (`vad.rs`).

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use dialog::input::SpeechEdge;

use crate::media::{
    Pcm,
    echo::{Echo, Likeness, Played},
    samples,
};

/// Speech is compared with the agent's voice this often.
const STEP: Duration = Duration::from_millis(50);
/// So much of it at a time, with what was before it.
const COMPARED: Duration = Duration::from_millis(600);
/// From here on an unknown ear heard the agent. Of 300 echoes 95 in 100 came so far, of 300 short words
/// of others, compared at every delay, none.
const SURE: f32 = 0.75;
/// Speech of an unknown ear is compared from this age: an echo of the agent, which paused for it, is
/// not much longer.
const YOUNG: Duration = Duration::from_millis(250);
/// Until this age. What is no echo by then is a person.
const OLD: Duration = Duration::from_millis(700);
/// Below this a known ear hears a person, alone or beside the echo: 2 in 100 echoes come so low, and
/// 97 in 100 other voices.
const OTHER: f32 = 0.6;
/// Comparisons in a row that say so, where the agent is heard already: a gap between its words is not
/// a person.
const MISSES: u32 = 2;
/// So much is enough to tell, when the delay is known.
const ENOUGH: Duration = Duration::from_millis(250);
/// An ear that has not heard the agent for this long is unknown again: people put on headphones.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// Sound that waits until it is clear whose it is.
const KEPT: Duration = Duration::from_millis(800);
/// Sound before the beginning of speech that goes with it: words begin softly.
const LEAD: Duration = Duration::from_millis(100);
/// Who speaks into an echo that goes on began about this long ago when it is noticed.
const NOTICED: Duration = Duration::from_millis(500);

/// What stands between an ear and the conversation.
#[derive(Debug)]
pub(super) struct Guard {
    echo: Echo,
    known: Option<Known>,
    state: State,
    /// Since the last comparison.
    unjudged: Duration,
    /// Withheld, newest last.
    kept: VecDeque<i16>,
    edges: VecDeque<SpeechEdge>,
}

/// An ear that heard the agent.
#[derive(Clone, Copy, Debug)]
struct Known {
    way: Duration,
    seen: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Quiet,
    /// The conversation was told; it may still be the agent.
    Told {
        since: Instant,
    },
    /// The conversation was told; it is a person.
    Person,
    /// A known ear hears something.
    Doubted {
        began: Instant,
    },
    /// It is the agent, unless the next comparisons say otherwise.
    Agent {
        misses: u32,
    },
}

impl Guard {
    pub(super) fn new(played: &Played) -> Self {
        Self {
            echo: Echo::of(played),
            known: None,
            state: State::Quiet,
            unjudged: Duration::ZERO,
            kept: VecDeque::new(),
            edges: VecDeque::new(),
        }
    }

    /// Takes in what the ear heard; returns what may go on instead.
    pub(super) fn hear(&mut self, now: Instant, pcm: Pcm, played: &Played) -> Pcm {
        self.known = self
            .known
            .filter(|known| now.saturating_duration_since(known.seen) < FORGOTTEN);
        if played.is_over(now) {
            self.unjudged = Duration::ZERO;
            match self.state {
                State::Agent { .. } => self.tell_person(now, now),
                State::Doubted { began } => self.tell_person(now, began),
                State::Person | State::Quiet | State::Told { .. } => {}
            }
            return self.pass(now, pcm, played);
        }
        self.echo.hear(now, pcm.as_slice());
        self.unjudged += pcm.duration();
        if self.unjudged >= STEP {
            self.unjudged = Duration::ZERO;
            self.judge(now, played);
        }
        self.pass(now, pcm, played)
    }

    /// The detector noticed an edge of speech.
    pub(super) fn on_edge(&mut self, now: Instant, edge: SpeechEdge, played: &Played) {
        match (edge, self.state) {
            (SpeechEdge::Started { before }, _) if self.may_echo(now, played) => {
                let began = now.checked_sub(before).unwrap_or(now);
                self.state = State::Doubted { began };
            }
            (SpeechEdge::Started { .. }, _) => {
                self.state = State::Told { since: now };
                self.edges.push_back(edge);
            }
            (SpeechEdge::Stopped { .. }, State::Doubted { began }) => {
                // Too short to tell, or told apart in time: better heard than ignored.
                if self.compare_known(played).is_none_or(|score| score < OTHER) {
                    self.tell_person(now, began);
                    self.edges.push_back(edge);
                }
                self.state = State::Quiet;
            }
            (SpeechEdge::Stopped { .. }, State::Agent { .. }) => self.state = State::Quiet,
            (SpeechEdge::Stopped { .. }, _) => {
                self.state = State::Quiet;
                self.edges.push_back(edge);
            }
            (SpeechEdge::Echoed, _) => {}
        }
    }

    /// The oldest edge for the conversation.
    pub(super) fn poll_edge(&mut self) -> Option<SpeechEdge> {
        self.edges.pop_front()
    }

    /// Nothing more is heard for now; `edge` = speech went on until here.
    pub(super) fn rest(&mut self, edge: Option<SpeechEdge>) {
        let was_told = matches!(self.state, State::Person | State::Told { .. });
        self.edges.extend(edge.filter(|_| was_told));
        self.state = State::Quiet;
        self.kept.clear();
    }

    fn judge(&mut self, now: Instant, played: &Played) {
        match self.state {
            State::Told { since } => self.judge_told(now, since, played),
            State::Doubted { began } => self.judge_doubted(now, began, played),
            State::Agent { misses } => self.judge_agent(now, misses, played),
            State::Person | State::Quiet => {}
        }
    }

    fn judge_told(&mut self, now: Instant, since: Instant, played: &Played) {
        let age = now.saturating_duration_since(since);
        if age > OLD {
            self.state = State::Person;
        } else if age >= YOUNG
            && let Some(Likeness { score, way }) = self.echo.likeness(played, COMPARED)
            && score >= SURE
        {
            self.known = Some(Known { way, seen: now });
            self.state = State::Agent { misses: 0 };
            self.edges.push_back(SpeechEdge::Echoed);
        }
    }

    fn judge_agent(&mut self, now: Instant, misses: u32, played: &Played) {
        match self.compare_known(played) {
            None => {}
            Some(score) if score >= OTHER => {
                self.seen(now);
                self.state = State::Agent { misses: 0 };
            }
            Some(_) if misses + 1 < MISSES => self.state = State::Agent { misses: misses + 1 },
            Some(_) if self.is_recognised_anew(now, played) => {}
            Some(_) => self.tell_person(now, now.checked_sub(NOTICED).unwrap_or(now)),
        }
    }

    fn judge_doubted(&mut self, now: Instant, began: Instant, played: &Played) {
        if now.saturating_duration_since(began) < ENOUGH {
            return;
        }
        match self.compare_known(played) {
            Some(score) if score >= OTHER => {
                self.seen(now);
                self.state = State::Agent { misses: 0 };
            }
            _ if self.is_recognised_anew(now, played) => {}
            _ => self.tell_person(now, began),
        }
    }

    /// The way may have become another: a jitter buffer stretched, a network changed.
    fn is_recognised_anew(&mut self, now: Instant, played: &Played) -> bool {
        let found = self.echo.likeness(played, COMPARED);
        let Some(Likeness { way, .. }) = found.filter(|found| found.score >= SURE) else {
            return false;
        };
        self.known = Some(Known { way, seen: now });
        self.state = State::Agent { misses: 0 };
        true
    }

    /// `None` = the ear hears nothing now.
    fn compare_known(&self, played: &Played) -> Option<f32> {
        let known = self.known?;
        let likeness = self.echo.likeness_at(played, ENOUGH, known.way)?;
        Some(likeness.score)
    }

    fn seen(&mut self, now: Instant) {
        if let Some(known) = &mut self.known {
            known.seen = now;
        }
    }

    fn tell_person(&mut self, now: Instant, began: Instant) {
        let before = now.saturating_duration_since(began);
        let excess = self.kept.len().saturating_sub(samples(before + LEAD));
        self.kept.drain(..excess);
        self.edges.push_back(SpeechEdge::Started { before });
        // It may still turn out to be the agent, at another delay.
        self.state = State::Told { since: now };
    }

    /// A known ear may hear the agent now.
    fn may_echo(&self, now: Instant, played: &Played) -> bool {
        self.known.is_some() && !played.is_over(now)
    }

    /// What waited goes first, once it is a person's; until then silence stands for it.
    fn pass(&mut self, now: Instant, pcm: Pcm, played: &Played) -> Pcm {
        let is_withheld = match self.state {
            State::Agent { .. } | State::Doubted { .. } => true,
            State::Quiet => self.may_echo(now, played),
            State::Person | State::Told { .. } => false,
        };
        if is_withheld {
            self.kept.extend(pcm.as_slice());
            let excess = self.kept.len().saturating_sub(samples(KEPT));
            self.kept.drain(..excess);
            return Pcm::silence(pcm.duration());
        }
        if self.kept.is_empty() {
            return pcm;
        }
        if self.state == State::Quiet {
            // The agent has fallen silent, and nobody has spoken meanwhile.
            self.kept.clear();
            return pcm;
        }
        self.kept.extend(pcm.as_slice());
        Pcm::from(Vec::from(std::mem::take(&mut self.kept)))
    }
}

#[cfg(test)]
mod tests;
