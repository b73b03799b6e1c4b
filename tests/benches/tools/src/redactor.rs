//! What one delta of a transcript costs in the redactor.

use std::time::Instant;

use room_agent::redaction::Stream;
use serde_json::{Value, json};

use crate::{Times, say};

const SPOKEN: &str = "sure my card is four one one one, one one one one, um, one one one one, one one one one \
                      and you can write to jane dot doe at example dot com or call 415 555 2671 after nine. ";

pub(crate) fn measure() -> Value {
    say("the redactor");
    let mut stream = Stream::default();
    let mut times = Times::default();
    let words: Vec<&str> = SPOKEN.split_inclusive(' ').collect();
    for word in words.iter().cycle().take(50_000) {
        let begun = Instant::now();
        let pieces = stream.push(word);
        times.push(begun);
        std::hint::black_box(pieces);
    }
    let mut row = times.row("redactor, one word of a transcript");
    row["wanted_p99"] = json!(20.0);
    row["reached"] = json!(times.quantile(0.99) <= 20.0);
    row
}
