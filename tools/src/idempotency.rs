//! Core: which calls were seen before, so that one wish has one effect.
//!
//! A call is known by its id for the whole session; a call that changes something is known by tool and
//! arguments, too, for a short while, because models repeat themselves under a new id. Bounded: of calls
//! that are over the oldest is forgotten first, and of those that run none.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{
    call::{CallId, ToolName},
    outcome::Outcome,
    tool::Effect,
};

/// Calls that are remembered, running ones included.
pub const REMEMBERED: usize = 512;
/// For so long the answer of a look-up that was started beforehand is not too old.
pub const FRESH: Duration = Duration::from_secs(60);
/// For so long the same arguments are the same wish.
pub const SAME_WISH: Duration = Duration::from_secs(5);

/// What is known of a call that is about to run.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Nothing: it may run, and whoever runs it settles it.
    New,
    /// It was foreseen, and ended like this.
    Foreseen(Outcome),
    /// It was foreseen and is running.
    Foreseeing,
    /// This one, which is the same, is running.
    Running(CallId),
    /// The same one ended like this.
    Over(Outcome),
    /// Too many calls run at once.
    Full,
    /// It has run as often as it may in one session, or all tools together have.
    Spent,
    /// It is to be looked up beforehand, and that is done already.
    Unneeded,
}

/// What a call asks leave with.
#[derive(Clone, Copy, Debug)]
pub struct Ask {
    /// What its tool does to the world.
    pub effect: Effect,
    /// How often its tool may run in this session; `None` = as often as any.
    pub most_runs: Option<u32>,
    /// It is started before the model asks for it.
    pub is_foreseen: bool,
}

/// What makes two calls one wish: their tool and their arguments, in one canonical text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wish {
    tool: ToolName,
    arguments: String,
}

impl Wish {
    /// Objects are sorted by key when they are read, so that equal arguments are equal texts.
    pub fn new(tool: ToolName, arguments: &serde_json::Value) -> Self {
        Self {
            tool,
            arguments: arguments.to_string(),
        }
    }
}

#[derive(Debug)]
struct Seen {
    wish: Wish,
    effect: Effect,
    /// It was started before the model asked for it.
    is_foreseen: bool,
    /// When it began, or when it was over.
    at: Instant,
    /// `None` = it runs.
    outcome: Option<Outcome>,
}

impl Seen {
    fn is_fresh_answer(&self, now: Instant) -> bool {
        let is_answer = matches!(self.outcome, Some(Outcome::Completed(_)));
        is_answer && now.saturating_duration_since(self.at) < FRESH
    }

    fn is_unsettled(&self) -> bool {
        use Outcome::{Cancelled, TimedOut, Unknown};
        let is_unsure = matches!(self.outcome, Some(Cancelled | TimedOut { .. } | Unknown(_)));
        self.effect == Effect::Writes && is_unsure
    }
}

/// The calls of one session.
#[derive(Debug, Default)]
pub struct Ledger {
    calls: HashMap<CallId, Seen>,
    /// Runs so far, by tool; bounded by the tools there are.
    runs: HashMap<ToolName, u32>,
    /// Runs that all tools together may have; `None` = any number.
    most_runs: Option<u32>,
}

impl Ledger {
    /// From now on all tools together may have so many runs, earlier ones included.
    pub fn limit(&mut self, most_runs: u32) {
        self.most_runs = Some(most_runs);
    }

    /// Asks for leave to run a call.
    pub fn admit(&mut self, now: Instant, id: &CallId, wish: &Wish, ask: &Ask) -> Standing {
        let Ask {
            effect,
            most_runs,
            is_foreseen,
        } = *ask;
        if let Some(seen) = self.calls.get(id) {
            return match &seen.outcome {
                Some(outcome) => Standing::Over(outcome.clone()),
                None => Standing::Running(id.clone()),
            };
        }
        let known = match effect {
            Effect::Writes => self.same_wish(now, wish),
            _ if is_foreseen => self.is_foreseen(now, wish).then_some(Standing::Unneeded),
            _ => self.foreseen(now, wish),
        };
        if let Some(known) = known {
            return known;
        }
        let total: u32 = self.runs.values().sum();
        let own = self.runs.get(&wish.tool).copied().unwrap_or_default();
        let is_spent = |runs: u32, most: Option<u32>| most.is_some_and(|most| runs >= most);
        if is_spent(total, self.most_runs) || is_spent(own, most_runs) {
            return Standing::Spent;
        }
        if !self.make_room() {
            return Standing::Full;
        }
        *self.runs.entry(wish.tool.clone()).or_default() += 1;
        let seen = Seen {
            wish: wish.clone(),
            effect,
            is_foreseen: is_foreseen && effect != Effect::Writes,
            at: now,
            outcome: None,
        };
        self.calls.insert(id.clone(), seen);
        Standing::New
    }

    /// A call that was admitted is over.
    pub fn settle(&mut self, now: Instant, id: &CallId, outcome: &Outcome) {
        let Some(seen) = self.calls.get_mut(id) else {
            return;
        };
        seen.at = now;
        seen.outcome = Some(outcome.clone());
        let has_written = seen.effect == Effect::Writes && !matches!(outcome, Outcome::Refused(_));
        // What was refused did not run.
        if matches!(outcome, Outcome::Refused(_))
            && let Some(runs) = self.runs.get_mut(&seen.wish.tool)
        {
            *runs -= 1;
        }
        if has_written {
            // What was looked up before may not be so any more.
            self.forget_foreseen();
        }
    }

    /// What was looked up beforehand is not to be told any more: somebody else asks now.
    pub fn forget_foreseen(&mut self) {
        for seen in self.calls.values_mut() {
            seen.is_foreseen = false;
        }
    }

    /// It was admitted and is not over.
    pub fn is_running(&self, id: &CallId) -> bool {
        let seen = self.calls.get(id);
        seen.is_some_and(|seen| seen.outcome.is_none())
    }

    /// One look beforehand is enough, and its answer is for the model.
    fn is_foreseen(&self, now: Instant, wish: &Wish) -> bool {
        let mut calls = self.calls.values();
        let twin = calls.find(|seen| seen.is_foreseen && seen.wish == *wish);
        twin.is_some_and(|seen| seen.outcome.is_none() || seen.is_fresh_answer(now))
    }

    /// Only an answer is taken, and once: who asks again wants to know how it is now. What went wrong is tried
    /// again.
    fn foreseen(&mut self, now: Instant, wish: &Wish) -> Option<Standing> {
        let mut calls = self.calls.values_mut();
        let seen = calls.find(|seen| seen.is_foreseen && seen.wish == *wish)?;
        let Some(outcome) = &seen.outcome else {
            return Some(Standing::Foreseeing);
        };
        let outcome = outcome.clone();
        seen.is_foreseen = false;
        seen.is_fresh_answer(now)
            .then_some(Standing::Foreseen(outcome))
    }

    fn same_wish(&self, now: Instant, wish: &Wish) -> Option<Standing> {
        let same = |seen: &&Seen| seen.effect == Effect::Writes && seen.wish == *wish;
        let mut calls = self.calls.iter().filter(|(_, seen)| same(seen));
        calls.find_map(|(id, seen)| match &seen.outcome {
            None => Some(Standing::Running(id.clone())),
            // What may have had its effect may have it tomorrow, too: somebody has to look.
            Some(
                outcome @ (Outcome::Cancelled | Outcome::TimedOut { .. } | Outcome::Unknown(_)),
            ) => Some(Standing::Over(outcome.clone())),
            // What surely had no effect may be tried again at once.
            Some(Outcome::Failed(_) | Outcome::Refused(_)) => None,
            Some(outcome) => {
                let is_fresh = now.saturating_duration_since(seen.at) < SAME_WISH;
                is_fresh.then(|| Standing::Over(outcome.clone()))
            }
        })
    }

    fn make_room(&mut self) -> bool {
        if self.calls.len() < REMEMBERED {
            return true;
        }
        let over = self.calls.iter().filter(|(_, seen)| seen.outcome.is_some());
        // Of a write whose effect nobody knows the memory is worth most.
        let oldest = over.min_by_key(|(_, seen)| (seen.is_unsettled(), seen.at));
        let Some(id) = oldest.map(|(id, _)| id.clone()) else {
            return false;
        };
        self.calls.remove(&id);
        true
    }
}
