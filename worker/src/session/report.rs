//! Adapter: what a session amounted to.
//!
//! [`Tally`] sums up notes while the session runs; [`Report`] is the result, as it stands in the
//! log, in a file and in a webhook. It holds no names, no identities and no words of people; of the
//! agent's words only those of its disclosure, and not in the log.

pub mod outlet;

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use dialog::{
    input::Audience,
    note::Note,
    speaker::{ParticipantId, Role},
};
use serde::Serialize;

use super::meter::{Meter, Verdict};
use crate::model::{Totals, Usd};

/// Sums of a running session.
#[derive(Debug, Default)]
pub struct Tally {
    callers: BTreeSet<ParticipantId>,
    disclosure: Option<DisclosureReport>,
    turns: Turns,
    /// What the model's responses cost.
    meter: Meter,
}

impl Tally {
    /// Nothing happened yet.
    pub(super) fn of(meter: Meter) -> Self {
        Self {
            meter,
            ..Self::default()
        }
    }

    /// Somebody came or left.
    pub fn audience(&mut self, fact: &Audience) {
        if let Audience::Joined {
            participant,
            role: Role::Caller | Role::Guest,
            ..
        } = fact
        {
            self.callers.insert(participant.clone());
        }
    }

    /// The conversation noted something; what that means for the budget.
    pub(super) fn note(&mut self, note: &Note) -> Verdict {
        match note {
            Note::Consulted { usage } => return self.meter.on_response(*usage),
            Note::Disclosed { said, is_whole } => {
                self.disclosure = Some(DisclosureReport::now(said, *is_whole));
            }
            Note::Interrupted { .. } => self.turns.interruptions += 1,
            Note::ResponseEnded { usage, .. } => {
                self.turns.responses += 1;
                return self.meter.on_response(*usage);
            }
            Note::ToolAnswered { .. } => self.turns.tool_calls += 1,
            Note::TurnAnswered { latency } => self.turns.answered(*latency),
            Note::TurnCommitted { .. } => self.turns.committed += 1,
            _ => {}
        }
        Verdict::Within
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Sums up.
    pub fn finish(self, facts: Facts) -> Report {
        Report {
            facts,
            callers: self.callers.len(),
            disclosure: self.disclosure,
            turns: self.turns.sum_up(),
            usage: UsageReport::from(self.meter.totals()),
            cost_usd: self.meter.spent(),
        }
    }
}

#[derive(Debug, Default)]
struct Turns {
    committed: u64,
    responses: u64,
    interruptions: u64,
    tool_calls: u64,
    answered: u32,
    latency: Duration,
}

impl Turns {
    fn answered(&mut self, latency: Duration) {
        self.answered += 1;
        self.latency += latency;
    }

    fn sum_up(&self) -> TurnsReport {
        TurnsReport {
            user: self.committed,
            responses: self.responses,
            interruptions: self.interruptions,
            tool_calls: self.tool_calls,
            mean_answer_s: (self.answered > 0)
                .then(|| (self.latency / self.answered).as_secs_f64()),
        }
    }
}

/// What is known of a session from outside the conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facts {
    /// The job.
    pub job: String,
    /// Name of the agent.
    pub agent: String,
    /// Begin, seconds since 1970.
    pub started_at: u64,
    /// Assignment to end, in seconds.
    pub lasted_s: f64,
    /// Why it ended, in a word.
    pub reason: &'static str,
    /// What went wrong; absent when nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a session amounted to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Known from outside the conversation.
    #[serde(flatten)]
    pub facts: Facts,
    /// People who were there.
    pub callers: usize,
    /// That people were told what they are talking to; absent = that was not asked for, or nobody was
    /// there to hear it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disclosure: Option<DisclosureReport>,
    /// Turns of both sides.
    pub turns: TurnsReport,
    /// Tokens, as the provider reported them.
    pub usage: UsageReport,
    /// What these tokens cost, in USD; `null` = the model's price is not known.
    pub cost_usd: Option<Usd>,
}

impl Report {
    /// Writes the one line of the log that says what a session amounted to.
    pub fn log(&self) {
        tracing::info!(
            job = self.facts.job,
            reason = self.facts.reason,
            error = self.facts.error,
            lasted_s = self.facts.lasted_s,
            callers = self.callers,
            disclosed = self.disclosure.as_ref().map(|disclosure| disclosure.whole),
            turns = self.turns.user,
            responses = self.turns.responses,
            interruptions = self.turns.interruptions,
            tool_calls = self.turns.tool_calls,
            mean_answer_s = self.turns.mean_answer_s,
            output_audio_tokens = self.usage.output_audio,
            cost_usd = self.cost_usd.map(Usd::dollars),
            "session report"
        );
    }
}

/// What people were told about the agent before anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DisclosureReport {
    /// What was heard in the end, as the model wrote it down.
    pub said: String,
    /// It was the wanted sentence, word for word and to its end.
    pub whole: bool,
    /// When it had been heard, or was given up; seconds since 1970.
    pub at: u64,
}

impl DisclosureReport {
    fn now(said: &str, whole: bool) -> Self {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            said: said.to_owned(),
            whole,
            at: since_epoch.unwrap_or_default().as_secs(),
        }
    }
}

/// Turns of both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TurnsReport {
    /// Turns of people.
    pub user: u64,
    /// Responses of the model.
    pub responses: u64,
    /// How often somebody interrupted the agent.
    pub interruptions: u64,
    /// Tools that answered.
    pub tool_calls: u64,
    /// Mean time from the end of a turn to the first sound of the answer; `null` = none was given.
    pub mean_answer_s: Option<f64>,
}

/// Tokens of a session. Cached counts are part of the input counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct UsageReport {
    /// Text tokens read.
    pub input_text: u64,
    /// Audio tokens read.
    pub input_audio: u64,
    /// Tokens of pictures read.
    pub input_image: u64,
    /// Cached text tokens among them.
    pub cached_text: u64,
    /// Cached audio tokens among them.
    pub cached_audio: u64,
    /// Cached tokens of pictures among them.
    pub cached_image: u64,
    /// Text tokens written.
    pub output_text: u64,
    /// Audio tokens written.
    pub output_audio: u64,
    /// Responses of which the provider told no tokens.
    pub unreported: u64,
}

impl From<Totals> for UsageReport {
    fn from(totals: Totals) -> Self {
        let usage = totals.tokens;
        Self {
            input_text: usage.input_text,
            input_audio: usage.input_audio,
            input_image: usage.input_image,
            cached_text: usage.cached_text,
            cached_audio: usage.cached_audio,
            cached_image: usage.cached_image,
            output_text: usage.output_text,
            output_audio: usage.output_audio,
            unreported: totals.unreported,
        }
    }
}

#[cfg(test)]
mod tests {
    use dialog::model::{ResponseId, ResponseStatus, Usage};

    use super::*;
    use crate::model::Price;

    fn facts() -> Facts {
        Facts {
            job: "AJ_1".to_owned(),
            agent: "guide".to_owned(),
            started_at: 1_700_000_000,
            lasted_s: 12.5,
            reason: "caller_left",
            error: None,
        }
    }

    #[test]
    fn a_report_sums_up_turns_and_tokens() {
        let mut tally = Tally::default();
        for (tokens, millis) in [(10, 400), (30, 600)] {
            let usage = Some(Usage {
                output_audio: tokens,
                ..Usage::default()
            });
            let response = ResponseId::new("r");
            tally.note(&Note::ResponseEnded {
                response,
                status: ResponseStatus::Completed,
                usage,
            });
            tally.note(&Note::TurnAnswered {
                latency: Duration::from_millis(millis),
            });
        }
        let report = tally.finish(facts());
        assert_eq!(report.usage.output_audio, 40);
        assert_eq!(report.turns.responses, 2);
        assert_eq!(report.turns.mean_answer_s, Some(0.5));
    }

    #[test]
    fn a_report_says_what_the_tokens_cost_or_that_nobody_knows() {
        let cost = |meter| {
            let mut tally = Tally::of(meter);
            tally.note(&Note::ResponseEnded {
                response: ResponseId::new("r"),
                status: ResponseStatus::Cancelled,
                usage: Some(Usage {
                    output_audio: 1_000,
                    ..Usage::default()
                }),
            });
            serde_json::to_value(tally.finish(facts())).unwrap()["cost_usd"].clone()
        };
        let prices = crate::model::Config::default().prices;
        let price = Price::in_force(&prices, "gpt-realtime-2.1", "2026-11-21").cloned();
        assert_eq!(cost(Meter::new(price, None)), 0.064);
        assert_eq!(cost(Meter::default()), serde_json::Value::Null);
    }

    #[test]
    fn somebody_who_came_twice_is_counted_once_and_an_agent_never() {
        let mut tally = Tally::default();
        for (who, role) in [
            ("ann", Role::Guest),
            ("ann", Role::Guest),
            ("bot", Role::OtherAgent),
        ] {
            let participant = ParticipantId::new(who);
            tally.audience(&Audience::Joined {
                participant,
                role,
                name: who.to_owned(),
            });
        }
        assert_eq!(tally.finish(facts()).callers, 1);
    }

    #[test]
    fn a_report_is_one_flat_json_object_without_names() {
        let mut tally = Tally::default();
        let participant = ParticipantId::new("ann");
        let role = Role::Guest;
        tally.audience(&Audience::Joined {
            participant,
            role,
            name: "Ann Smith".to_owned(),
        });
        let json = serde_json::to_string(&tally.finish(facts())).unwrap();
        assert!(
            json.starts_with(r#"{"job":"AJ_1","agent":"guide","#),
            "{json}"
        );
        assert!(!json.to_lowercase().contains("ann"), "{json}");
    }
}
