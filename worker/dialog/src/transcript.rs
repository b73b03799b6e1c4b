//! Core: the text of one spoken item, and how much of it people have heard.
//!
//! The model sends text ahead of the audio and without timing, so the heard part is estimated: as
//! much of the text as of the audio, cut at the end of a word. Shown text is never taken back.

use std::time::Duration;

/// Most text one item can hold; an hour of speech is less.
const LONGEST: usize = 64 * 1024;
/// A run of letters longer than this many bytes may be cut inside: some scripts know no spaces.
const LONGEST_WORD: usize = 48;

/// Text of one item.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    text: String,
    shown: usize,
}

impl Transcript {
    pub(crate) fn push(&mut self, piece: &str) {
        if self.text.len() + piece.len() <= LONGEST {
            self.text.push_str(piece);
        }
    }

    /// Takes out what is newly heard; empty when no further word is complete.
    pub(crate) fn advance(&mut self, heard: Duration, received: Duration) -> &str {
        let end = self.position(heard, received);
        self.show_until(end)
    }

    /// Takes out all the rest: the item was heard to its end.
    pub(crate) fn finish(&mut self) -> &str {
        let end = self.whole().len();
        self.show_until(end)
    }

    /// What people were shown.
    pub(crate) fn shown(&self) -> &str {
        &self.text[..self.shown]
    }

    /// Everything there is, heard or not.
    pub(crate) fn whole(&self) -> &str {
        self.text.trim_end()
    }

    fn show_until(&mut self, end: usize) -> &str {
        let start = self.shown;
        self.shown = end.max(start);
        &self.text[start..self.shown]
    }

    fn position(&self, heard: Duration, received: Duration) -> usize {
        if received.is_zero() {
            return 0;
        }
        let share = (heard.as_secs_f64() / received.as_secs_f64()).min(1.0);
        word_end(&self.text, (self.text.len() as f64 * share) as usize)
    }
}

/// The end of the last whole word within the first `limit` bytes.
fn word_end(text: &str, limit: usize) -> usize {
    if limit >= text.len() && text.ends_with(char::is_whitespace) {
        return text.trim_end().len();
    }
    let limit = floor_char_boundary(text, limit);
    if text[limit..].starts_with(char::is_whitespace) {
        return limit;
    }
    let last_break = text[..limit].rfind(|c: char| c.is_whitespace() || is_ideograph(c));
    match last_break {
        Some(index) if limit - index <= LONGEST_WORD => {
            let width = text[index..].chars().next().map_or(0, ideograph_width);
            index + width
        }
        _ if limit > LONGEST_WORD => limit,
        _ => 0,
    }
}

/// Scripts from the CJK blocks on are written without spaces: every character ends a word.
fn is_ideograph(c: char) -> bool {
    c >= '\u{2e80}'
}

fn ideograph_width(c: char) -> usize {
    if is_ideograph(c) { c.len_utf8() } else { 0 }
}

fn floor_char_boundary(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(text: &str, percent: u64) -> String {
        let mut transcript = Transcript::default();
        transcript.push(text);
        transcript
            .advance(Duration::from_millis(percent * 10), Duration::from_secs(1))
            .to_owned()
    }

    #[test]
    fn text_is_cut_at_the_end_of_the_last_word_heard() {
        let text = "Hello there, how are you";
        assert_eq!(heard(text, 0), "");
        assert_eq!(heard(text, 20), "");
        assert_eq!(heard(text, 21), "Hello");
        assert_eq!(heard(text, 50), "Hello there,");
        assert_eq!(heard(text, 90), "Hello there, how are");
        // The last word may still be growing; `finish` shows it.
        assert_eq!(heard(text, 100), "Hello there, how are");
        assert_eq!(heard("Bye. ", 100), "Bye.");
    }

    #[test]
    fn scripts_without_spaces_are_cut_between_characters() {
        assert_eq!(heard("こんにちは、お元気ですか", 50), "こんにちは、");
        assert_eq!(heard(&"x".repeat(200), 50).len(), 100);
    }

    #[test]
    fn shown_text_is_never_taken_back_and_arrives_whole() {
        let mut transcript = Transcript::default();
        let second = Duration::from_secs(1);
        transcript.push("one two three");
        let mut all = transcript.advance(second * 2, second * 3).to_owned();
        assert_eq!(all, "one two");
        // More audio than text arrives: the estimate shrinks, the shown part does not.
        assert_eq!(transcript.advance(second * 2, second * 9), "");
        transcript.push(" four");
        all.push_str(transcript.finish());
        assert_eq!(all, "one two three four");
        assert_eq!(transcript.shown(), all);
    }
}
