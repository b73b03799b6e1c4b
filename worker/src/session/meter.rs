//! Core: what a session has cost so far, and whether that is still within its budget.
//!
//! Owns the sum over responses. It knows no clock and asks nobody: the price is found when the
//! session begins. It says once each that much, most and all of a budget is spent; what follows is
//! the driver's and the conversation's business.

use dialog::model::Usage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Price, Totals, Usd};

/// The `[budget]` table: what a session may cost.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The most the model may cost in one session, in USD, 0.01 to 10000: then the agent finishes
    /// its sentence, says goodbye and leaves. Absent = no limit, the default.
    #[schemars(range(min = 0.01, max = 10000.0))]
    pub session_usd: Option<f64>,
    /// The share of it at which the log says so, 0 to 1. Default 0.7.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub notice_at: f64,
    /// The share of it at which the model's context is made smaller, so that further responses cost
    /// less, 0 to 1. Default 0.85.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub shrink_at: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            session_usd: None,
            notice_at: 0.7,
            shrink_at: 0.85,
        }
    }
}

impl Config {
    /// The budget of each session, if there is one.
    pub fn budget(&self) -> Option<Budget> {
        let limit = Usd::new(self.session_usd?);
        Some(Budget {
            notice: limit.share(self.notice_at),
            shrink: limit.share(self.shrink_at),
            limit,
        })
    }
}

/// The most a session may cost, and when to say that it is getting close.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// At this the agent says goodbye.
    pub limit: Usd,
    /// At this the log says so.
    pub notice: Usd,
    /// At this the model's context is made smaller.
    pub shrink: Usd,
}

/// What one response means for the budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing new.
    #[default]
    Within,
    /// Much is spent; said once.
    Notice,
    /// Most is spent; said once.
    Shrink,
    /// All is spent; said once.
    Spent,
}

/// Sums up one session.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// `None` = the model's price is not known.
    price: Option<Price>,
    budget: Option<Budget>,
    totals: Totals,
    said: Verdict,
}

impl Meter {
    pub(super) fn new(price: Option<Price>, budget: Option<Budget>) -> Self {
        Self {
            price,
            budget,
            ..Self::default()
        }
    }

    /// A response ended; every one is billed, however it ended.
    pub(super) fn on_response(&mut self, usage: Option<Usage>) -> Verdict {
        self.totals.add(usage);
        let (Some(budget), Some(spent)) = (self.budget, self.spent()) else {
            return Verdict::Within;
        };
        let now = match spent {
            spent if spent >= budget.limit => Verdict::Spent,
            spent if spent >= budget.shrink => Verdict::Shrink,
            spent if spent >= budget.notice => Verdict::Notice,
            _ => Verdict::Within,
        };
        if now == std::mem::replace(&mut self.said, now) {
            return Verdict::Within;
        }
        now
    }

    /// What tokens cost; `None` = nobody knows.
    pub(super) fn price(&self) -> Option<&Price> {
        self.price.as_ref()
    }

    /// What the session has cost so far; `None` = the price is not known. Responses without reported
    /// tokens are not in it: [`Totals::unreported`] counts them.
    pub(super) fn spent(&self) -> Option<Usd> {
        let price = self.price.as_ref()?;
        Some(price.of_all(&self.totals.tokens))
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dollar for a thousand tokens of any kind.
    fn price() -> Price {
        let per_million = 1_000.0;
        Price {
            model: "one".to_owned(),
            from: "2026-01-01".to_owned(),
            text_input: per_million,
            text_cached: per_million,
            text_output: per_million,
            audio_input: per_million,
            audio_cached: per_million,
            audio_output: per_million,
            image_input: None,
            image_cached: None,
        }
    }

    fn budget(dollars: f64) -> Budget {
        let limit = Usd::new(dollars);
        Budget {
            limit,
            notice: limit.share(0.7),
            shrink: limit.share(0.85),
        }
    }

    fn spoken(tokens: u64) -> Option<Usage> {
        Some(Usage {
            output_audio: tokens,
            ..Usage::default()
        })
    }

    #[test]
    fn each_step_of_a_budget_is_said_once() {
        let mut meter = Meter::new(Some(price()), Some(budget(1.0)));
        let tokens = [600, 99, 1, 149, 1, 149, 1, 500];
        let verdicts = tokens.map(|tokens| meter.on_response(spoken(tokens)));
        use Verdict::{Notice, Shrink, Spent, Within};
        assert_eq!(
            verdicts,
            [
                Within, Within, Notice, Within, Shrink, Within, Spent, Within
            ]
        );
        assert_eq!(meter.spent(), Some(Usd::new(1.5)));
    }

    #[test]
    fn one_response_may_spend_it_all() {
        let mut meter = Meter::new(Some(price()), Some(budget(1.0)));
        assert_eq!(meter.on_response(spoken(5_000)), Verdict::Spent);
    }

    #[test]
    fn without_a_budget_or_a_price_nothing_is_said() {
        for (price, budget) in [
            (Some(price()), None),
            (None, None),
            (None, Some(budget(1.0))),
        ] {
            let mut meter = Meter::new(price, budget);
            assert_eq!(meter.on_response(spoken(1_000_000)), Verdict::Within);
        }
    }

    #[test]
    fn an_unknown_price_is_an_unknown_cost_and_not_none() {
        let mut meter = Meter::new(None, None);
        meter.on_response(spoken(10));
        assert_eq!(meter.spent(), None);
        assert_eq!(meter.totals().tokens.output_audio, 10);
    }

    #[test]
    fn the_parts_are_the_sum() {
        let mut meter = Meter::new(Some(price()), None);
        let mut parts = Vec::new();
        for tokens in [1, 7, 333, 12_345] {
            meter.on_response(spoken(tokens));
            parts.push(price().of_all(&spoken(tokens).unwrap()));
        }
        assert_eq!(meter.spent(), Some(parts.into_iter().sum()));
    }
}
