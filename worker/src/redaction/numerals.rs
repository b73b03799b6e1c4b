//! Core: digits as people say them: "double five", "forty-one eleven", "one eight hundred".

use super::lexer::{Kind, Token};

/// What a reading of tokens came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Read<T> {
    /// Not here.
    No,
    /// More tokens are needed to tell.
    Open,
    /// Here; the tokens before the index belong to it.
    Yes(T, usize),
}

/// A group of digits that was written or said as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numeral {
    pub(super) digits: String,
    pub(super) is_spoken: bool,
}

/// The numeral that begins at `at`, with the zeros that were said after it: "eight hundred".
pub(super) fn numeral(tokens: &[Token], at: usize, is_over: bool) -> Read<Numeral> {
    let (mut numeral, end) = match plain(tokens, at, is_over) {
        Read::Yes(numeral, end) => (numeral, end),
        other => return other,
    };
    if !numeral.is_spoken {
        return Read::Yes(numeral, end);
    }
    match tokens.get(end) {
        None if !is_over => return Read::Open,
        Some(space) if space.kind == Kind::Space => {}
        _ => return Read::Yes(numeral, end),
    }
    match tokens.get(end + 1) {
        None if !is_over => Read::Open,
        Some(token) if zeros(token).is_some() => {
            numeral.digits.push_str(zeros(token).unwrap_or_default());
            Read::Yes(numeral, end + 2)
        }
        _ => Read::Yes(numeral, end),
    }
}

fn plain(tokens: &[Token], at: usize, is_over: bool) -> Read<Numeral> {
    let Some(token) = tokens.get(at) else {
        return if is_over { Read::No } else { Read::Open };
    };
    let word = match &token.kind {
        Kind::Number(digits) => return written(digits.clone(), at + 1),
        Kind::Word(word) => word.as_str(),
        _ => return Read::No,
    };
    if let Some(digit) = digit(word) {
        return spoken(digit.to_owned(), at + 1);
    }
    if let Some(teen) = teen(word) {
        return spoken(teen.to_owned(), at + 1);
    }
    if let Some(ten) = ten(word) {
        return tens(ten, tokens, at, is_over);
    }
    if let Some(times) = times(word) {
        return repeated(times, tokens, at, is_over);
    }
    Read::No
}

fn zeros(token: &Token) -> Option<&'static str> {
    match token.word()? {
        "hundred" => Some("00"),
        "thousand" => Some("000"),
        _ => None,
    }
}

fn written(digits: String, next: usize) -> Read<Numeral> {
    let is_spoken = false;
    Read::Yes(Numeral { digits, is_spoken }, next)
}

fn spoken(digits: String, next: usize) -> Read<Numeral> {
    let is_spoken = true;
    Read::Yes(Numeral { digits, is_spoken }, next)
}

/// "forty", "forty one", "forty-one".
fn tens(ten: char, tokens: &[Token], at: usize, is_over: bool) -> Read<Numeral> {
    let alone = spoken(format!("{ten}0"), at + 1);
    let is_joint = |token: &Token| token.is_mark('-') || token.kind == Kind::Space;
    match tokens.get(at + 1) {
        None if is_over => return alone,
        None => return Read::Open,
        Some(joint) if !is_joint(joint) => return alone,
        Some(_) => {}
    }
    match tokens.get(at + 2) {
        None if is_over => alone,
        None => Read::Open,
        Some(unit) => match unit.word().and_then(digit).filter(|unit| *unit != "0") {
            Some(unit) => spoken(format!("{ten}{unit}"), at + 3),
            None => alone,
        },
    }
}

/// "double five", "triple nine".
fn repeated(times: usize, tokens: &[Token], at: usize, is_over: bool) -> Read<Numeral> {
    let missing = if is_over { Read::No } else { Read::Open };
    match tokens.get(at + 1) {
        None => return missing,
        Some(space) if space.kind != Kind::Space => return Read::No,
        Some(_) => {}
    }
    let Some(token) = tokens.get(at + 2) else {
        return missing;
    };
    let one = match &token.kind {
        Kind::Word(word) => digit(word),
        Kind::Number(digits) if digits.len() == 1 => Some(digits.as_str()),
        _ => None,
    };
    one.map_or(Read::No, |digit| spoken(digit.repeat(times), at + 3))
}

fn digit(word: &str) -> Option<&'static str> {
    Some(match word {
        "zero" | "oh" | "o" | "nought" => "0",
        "one" => "1",
        "two" => "2",
        "three" => "3",
        "four" => "4",
        "five" => "5",
        "six" => "6",
        "seven" => "7",
        "eight" => "8",
        "nine" | "niner" => "9",
        _ => return None,
    })
}

fn teen(word: &str) -> Option<&'static str> {
    Some(match word {
        "ten" => "10",
        "eleven" => "11",
        "twelve" => "12",
        "thirteen" => "13",
        "fourteen" => "14",
        "fifteen" => "15",
        "sixteen" => "16",
        "seventeen" => "17",
        "eighteen" => "18",
        "nineteen" => "19",
        _ => return None,
    })
}

fn ten(word: &str) -> Option<char> {
    Some(match word {
        "twenty" => '2',
        "thirty" => '3',
        "forty" | "fourty" => '4',
        "fifty" => '5',
        "sixty" => '6',
        "seventy" => '7',
        "eighty" => '8',
        "ninety" => '9',
        _ => return None,
    })
}

fn times(word: &str) -> Option<usize> {
    match word {
        "double" => Some(2),
        "triple" | "treble" => Some(3),
        "quadruple" => Some(4),
        _ => None,
    }
}
