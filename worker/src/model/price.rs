//! Core: what a provider takes for tokens, by model and day.
//!
//! It holds no price: those are configuration, because they change. It multiplies and adds in whole
//! picodollars, so that the parts of a sum are the sum. It has no clock and asks no provider.

use std::{fmt, iter::Sum, time::SystemTime};

use dialog::model::Usage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// One `[[model.prices]]` entry: USD for a million tokens of one model, from one day on.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The model, exactly as agents name it.
    #[schemars(length(min = 1))]
    pub model: String,
    /// The first day on which it holds (UTC), as `2026-07-06`. Of several the latest that has come
    /// counts.
    #[schemars(regex(pattern = r"^\d{4}-\d{2}-\d{2}$"))]
    pub from: String,
    /// Text read, not cached.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub text_input: f64,
    /// Text read from the provider's cache.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub text_cached: f64,
    /// Text written.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub text_output: f64,
    /// Audio read, not cached.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub audio_input: f64,
    /// Audio read from the provider's cache.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub audio_cached: f64,
    /// Audio written.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub audio_output: f64,
    /// Pictures read, not cached. Default: what text costs.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1e6))]
    pub image_input: Option<f64>,
    /// Pictures read from the provider's cache. Default: what text costs.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1e6))]
    pub image_cached: Option<f64>,
}

impl Price {
    /// What holds for a model on a day (UTC, as `2026-07-06`); `None` = nobody knows.
    pub fn in_force<'a>(prices: &'a [Self], model: &str, day: &str) -> Option<&'a Self> {
        let has_come = |price: &&Self| price.model == model && price.from.as_str() <= day;
        let prices = prices.iter().filter(has_come);
        prices.max_by(|one, other| one.from.cmp(&other.from))
    }

    /// What is to be paid for the tokens of one kind.
    pub fn of(&self, kind: Kind, tokens: u64) -> Usd {
        let per_million = match kind {
            Kind::TextInput => self.text_input,
            Kind::TextCached => self.text_cached,
            Kind::TextOutput => self.text_output,
            Kind::AudioInput => self.audio_input,
            Kind::AudioCached => self.audio_cached,
            Kind::AudioOutput => self.audio_output,
            Kind::ImageInput => self.image_input.unwrap_or(self.text_input),
            Kind::ImageCached => self.image_cached.unwrap_or(self.text_cached),
        };
        // A dollar for a million tokens is a million picodollars for one.
        let each = (per_million * 1e6).round() as u64;
        Usd(each.saturating_mul(tokens))
    }

    /// What is to be paid for one response.
    pub fn of_all(&self, usage: &Usage) -> Usd {
        let billed = Kind::billed(usage).into_iter();
        billed.map(|(kind, tokens)| self.of(kind, tokens)).sum()
    }
}

/// The day a moment belongs to (UTC), as price lists name it.
pub fn day(moment: SystemTime) -> String {
    let mut day = humantime::format_rfc3339_seconds(moment).to_string();
    day.truncate("2026-07-06".len());
    day
}

/// Tokens that cost the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text read, not cached.
    TextInput,
    /// Text read from the provider's cache.
    TextCached,
    /// Text written.
    TextOutput,
    /// Audio read, not cached.
    AudioInput,
    /// Audio read from the provider's cache.
    AudioCached,
    /// Audio written.
    AudioOutput,
    /// Pictures read, not cached.
    ImageInput,
    /// Pictures read from the provider's cache.
    ImageCached,
}

impl Kind {
    /// The tokens of a response, each counted once: cached ones are taken out of the input that they
    /// are part of.
    pub fn billed(usage: &Usage) -> [(Self, u64); 8] {
        [
            (
                Self::TextInput,
                usage.input_text.saturating_sub(usage.cached_text),
            ),
            (Self::TextCached, usage.cached_text),
            (Self::TextOutput, usage.output_text),
            (
                Self::AudioInput,
                usage.input_audio.saturating_sub(usage.cached_audio),
            ),
            (Self::AudioCached, usage.cached_audio),
            (Self::AudioOutput, usage.output_audio),
            (
                Self::ImageInput,
                usage.input_image.saturating_sub(usage.cached_image),
            ),
            (Self::ImageCached, usage.cached_image),
        ]
    }

    /// Values of the labels `modality`, `direction` and `cached`.
    pub fn labels(self) -> [&'static str; 3] {
        match self {
            Self::TextInput => ["text", "input", "false"],
            Self::TextCached => ["text", "input", "true"],
            Self::TextOutput => ["text", "output", "false"],
            Self::AudioInput => ["audio", "input", "false"],
            Self::AudioCached => ["audio", "input", "true"],
            Self::AudioOutput => ["audio", "output", "false"],
            Self::ImageInput => ["image", "input", "false"],
            Self::ImageCached => ["image", "input", "true"],
        }
    }
}

/// An amount of money, exact to a picodollar; at most 18 million dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(u64);

const PICO: f64 = 1e12;

impl Usd {
    /// An amount in dollars, rounded; what is below zero is zero.
    pub fn new(dollars: f64) -> Self {
        Self((dollars * PICO).round() as u64)
    }

    /// In dollars.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / PICO
    }

    /// That share of it.
    #[must_use]
    pub fn share(self, share: f64) -> Self {
        Self((self.0 as f64 * share).round() as u64)
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.fold(0, |sum, amount| sum.saturating_add(amount.0)))
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} USD", self.dollars())
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.dollars())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn price(model: &str, from: &str, text_input: f64) -> Price {
        Price {
            model: model.to_owned(),
            from: from.to_owned(),
            text_input,
            text_cached: 0.4,
            text_output: 24.0,
            audio_input: 32.0,
            audio_cached: 0.4,
            audio_output: 64.0,
            image_input: Some(5.0),
            image_cached: None,
        }
    }

    #[test]
    fn the_latest_price_that_has_come_is_in_force() {
        let prices = [
            price("one", "2026-01-01", 4.0),
            price("one", "2026-07-01", 5.0),
            price("one", "2027-01-01", 6.0),
            price("other", "2026-07-01", 9.0),
        ];
        let cases = [
            ("one", "2025-12-31", None),
            ("one", "2026-01-01", Some(4.0)),
            ("one", "2026-11-21", Some(5.0)),
            ("one", "2027-01-01", Some(6.0)),
            ("other", "2026-11-21", Some(9.0)),
            ("another", "2026-11-21", None),
            ("one-mini", "2026-11-21", None),
        ];
        for (model, day, expected) in cases {
            let found = Price::in_force(&prices, model, day).map(|price| price.text_input);
            assert_eq!(found, expected, "{model} on {day}");
        }
    }

    #[test]
    fn a_day_ends_at_midnight_utc() {
        let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(1_782_950_400);
        assert_eq!(day(midnight), "2026-07-02");
        assert_eq!(day(midnight - Duration::from_secs(1)), "2026-07-01");
    }

    #[test]
    fn a_response_costs_the_sum_of_its_kinds_and_cached_tokens_once() {
        let usage = Usage {
            input_text: 1_000,
            cached_text: 900,
            input_audio: 600,
            cached_audio: 100,
            input_image: 300,
            cached_image: 200,
            output_text: 50,
            output_audio: 1_200,
        };
        let cost = price("one", "2026-01-01", 4.0).of_all(&usage);
        let read = 100.0 * 4.0 + 900.0 * 0.4 + 500.0 * 32.0 + 100.0 * 0.4;
        // What pictures cost is not told of cached ones: it is what text costs.
        let shown = 100.0 * 5.0 + 200.0 * 0.4;
        let expected = read + shown + 50.0 * 24.0 + 1_200.0 * 64.0;
        assert_eq!(cost, Usd::new(expected / 1e6));
    }

    #[test]
    fn a_minute_of_forty_to_sixty_costs_what_the_price_list_says() {
        // 600 tokens of a caller's minute, 1,200 of an agent's.
        let usage = Usage {
            input_audio: 240,
            output_audio: 720,
            ..Usage::default()
        };
        let cost = price("one", "2026-01-01", 4.0).of_all(&usage);
        assert_eq!(cost.to_string(), "0.0538 USD");
    }

    #[test]
    fn more_cached_than_read_is_not_a_discount() {
        let usage = Usage {
            input_text: 1,
            cached_text: 10,
            ..Usage::default()
        };
        let price = price("one", "2026-01-01", 4.0);
        assert_eq!(price.of_all(&usage), price.of(Kind::TextCached, 10));
    }

    #[test]
    fn counts_beyond_all_measure_end_at_the_largest_amount() {
        let usage = Usage {
            output_audio: u64::MAX,
            input_audio: u64::MAX,
            ..Usage::default()
        };
        assert_eq!(
            price("one", "2026-01-01", 4.0).of_all(&usage),
            Usd(u64::MAX)
        );
    }
}
