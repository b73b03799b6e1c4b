//! Core: tokens by modality, exactly as reported, and their sum over a session.
//!
//! Cached counts are part of the input counts. It knows no prices and estimates nothing.

use dialog::model::Usage;

/// Token counts as a provider reports them; absent ones are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) input_text: u64,
    pub(super) input_audio: u64,
    pub(super) input_image: u64,
    /// All cached input tokens.
    pub(super) cached: u64,
    /// How the cached ones split into text, audio and pictures; `None` = not told.
    pub(super) cached_split: Option<(u64, u64, u64)>,
    pub(super) output_text: u64,
    pub(super) output_audio: u64,
}

impl Counts {
    /// Without a split, cached tokens count as text first, then audio: instructions are what is cached most.
    pub(super) fn into_usage(self) -> Usage {
        let (cached_text, cached_audio, cached_image) = self.cached_split.unwrap_or_else(|| {
            let text = self.cached.min(self.input_text);
            let audio = (self.cached - text).min(self.input_audio);
            (text, audio, self.cached - text - audio)
        });
        Usage {
            input_text: self.input_text,
            input_audio: self.input_audio,
            input_image: self.input_image,
            cached_text: cached_text.min(self.input_text),
            cached_audio: cached_audio.min(self.input_audio),
            cached_image: cached_image.min(self.input_image),
            output_text: self.output_text,
            output_audio: self.output_audio,
        }
    }
}

/// The sum over all responses of a session, for its report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Responses that ended, whatever their status: every one is billed.
    pub responses: u64,
    /// Those among them for which the provider reported no tokens.
    pub unreported: u64,
    /// Their tokens.
    pub tokens: Usage,
}

impl Totals {
    /// Adds one response that ended.
    pub fn add(&mut self, usage: Option<Usage>) {
        self.responses += 1;
        let Some(usage) = usage else {
            self.unreported += 1;
            return;
        };
        let sum = &mut self.tokens;
        for (total, more) in [
            (&mut sum.input_text, usage.input_text),
            (&mut sum.input_audio, usage.input_audio),
            (&mut sum.input_image, usage.input_image),
            (&mut sum.cached_text, usage.cached_text),
            (&mut sum.cached_audio, usage.cached_audio),
            (&mut sum.cached_image, usage.cached_image),
            (&mut sum.output_text, usage.output_text),
            (&mut sum.output_audio, usage.output_audio),
        ] {
            *total = total.saturating_add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_tokens_without_a_split_count_as_text_first() {
        let counts = Counts {
            input_text: 100,
            input_audio: 20,
            input_image: 80,
            cached: 128,
            ..Counts::default()
        };
        let usage = counts.into_usage();
        let cached = (usage.cached_text, usage.cached_audio, usage.cached_image);
        assert_eq!(cached, (100, 20, 8));
    }

    #[test]
    fn cached_tokens_never_exceed_the_input_they_are_part_of() {
        let counts = Counts {
            input_text: 10,
            cached: u64::MAX,
            cached_split: Some((64, 64, 64)),
            ..Counts::default()
        };
        let usage = counts.into_usage();
        assert_eq!((usage.cached_text, usage.cached_audio), (10, 0));
    }

    #[test]
    fn totals_count_what_was_not_reported() {
        let mut totals = Totals::default();
        totals.add(Some(Usage {
            input_text: 3,
            output_audio: 5,
            ..Usage::default()
        }));
        totals.add(None);
        totals.add(Some(Usage {
            input_text: u64::MAX,
            ..Usage::default()
        }));
        assert_eq!((totals.responses, totals.unreported), (3, 1));
        assert_eq!(
            (totals.tokens.input_text, totals.tokens.output_audio),
            (u64::MAX, 5)
        );
    }
}
