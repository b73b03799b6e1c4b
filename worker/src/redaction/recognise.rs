//! Core: which digits of a row are a card, a phone, a social security number.
//!
//! Cards are told by structure: their issuer's range, length and check digit (ISO/IEC 7812-1). The others
//! need a grouping, a valid structure, or a word that names them; a word that names something else
//! (an order, a price) keeps what has no structure.

use std::ops::Range;

use super::{
    Sort,
    cues::{Cue, Cues},
    lexer::{Kind, Token},
    numerals::{Numeral, Read, numeral},
};

/// Most tokens between two groups of one number, and most words among them: "um, that's".
const MOST_BETWEEN: usize = 8;
const MOST_FILLERS: usize = 3;

/// Digits of the longest number that is looked for.
const LONGEST: usize = 19;

/// Digits in a row, with what stands between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    groups: Vec<Group>,
    /// Begins with a plus sign.
    is_international: bool,
    /// A unit follows, as in "dollars".
    is_measured: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    digits: String,
    is_spoken: bool,
    tokens: Range<usize>,
}

/// The run that begins with the first token; the index is one past its last digit.
pub(super) fn run(tokens: &[Token], is_over: bool) -> Read<Run> {
    let mut run = Run::default();
    let mut at = 0;
    if let Some(Kind::Mark(mark @ ('+' | '('))) = tokens.first().map(|token| &token.kind) {
        run.is_international = *mark == '+';
        at = 1;
    }
    match group(tokens, at, is_over) {
        Read::No => return Read::No,
        Read::Open => return Read::Open,
        Read::Yes(mut first, next) => {
            first.tokens.start = 0;
            run.groups.push(first);
            at = next;
        }
    }
    loop {
        match gap(tokens, at, is_over) {
            Read::Open => return Read::Open,
            Read::No => break,
            Read::Yes(next, _) => match group(tokens, next, is_over) {
                Read::Open => return Read::Open,
                Read::No => break,
                Read::Yes(group, end) => {
                    run.groups.push(group);
                    at = end;
                }
            },
        }
    }
    run.is_measured = unit_follows(&tokens[at..]);
    Read::Yes(run, at)
}

fn group(tokens: &[Token], at: usize, is_over: bool) -> Read<Group> {
    match numeral(tokens, at, is_over) {
        Read::No => Read::No,
        Read::Open => Read::Open,
        Read::Yes(Numeral { digits, is_spoken }, end) => {
            let tokens = at..end;
            Read::Yes(
                Group {
                    digits,
                    is_spoken,
                    tokens,
                },
                end,
            )
        }
    }
}

/// What may stand between two groups; the value is the index of what follows.
fn gap(tokens: &[Token], from: usize, is_over: bool) -> Read<usize> {
    let mut fillers = 0;
    for at in from.. {
        if at - from > MOST_BETWEEN || fillers > MOST_FILLERS {
            return Read::No;
        }
        let Some(token) = tokens.get(at) else {
            return if is_over { Read::No } else { Read::Open };
        };
        match &token.kind {
            Kind::Space | Kind::Mark('-' | '.' | ',' | '(' | ')' | '+' | '/' | '…' | '*') => {}
            Kind::Word(word) if is_filler(word) => fillers += 1,
            _ if at == from => return Read::No,
            _ => return Read::Yes(at, at),
        }
    }
    Read::No
}

fn is_filler(word: &str) -> bool {
    matches!(
        word,
        "um" | "uh"
            | "er"
            | "erm"
            | "ah"
            | "hm"
            | "hmm"
            | "mm"
            | "dash"
            | "hyphen"
            | "space"
            | "dot"
            | "point"
            | "then"
            | "and"
            | "that's"
            | "again"
            | "okay"
            | "no"
            | "sorry"
            | "wait"
            | "comma"
            | "like"
            | "plus"
            | "to"
            | "for"
    )
}

fn unit_follows(rest: &[Token]) -> bool {
    let next = rest.iter().find(|token| token.kind != Kind::Space);
    matches!(
        next.and_then(Token::word),
        Some(
            "dollars"
                | "euros"
                | "pounds"
                | "cents"
                | "percent"
                | "miles"
                | "kilometers"
                | "people"
                | "units"
                | "bytes"
                | "seconds"
                | "minutes"
                | "hours"
                | "ms"
                | "times"
                | "items"
                | "pieces"
                | "records"
                | "rows"
                | "users"
        )
    )
}

/// The first thing to mask in a run: its groups, and what it is.
pub(super) fn first(run: &Run, cues: &Cues) -> Option<(Range<usize>, Sort)> {
    if run.is_counting() {
        return None;
    }
    card(run, cues)
        .or_else(|| named(run, cues))
        .or_else(|| grouped(run, cues))
        .or_else(|| bare(run, cues))
}

impl Run {
    /// The tokens of these groups.
    pub(super) fn tokens(&self, groups: Range<usize>) -> Range<usize> {
        self.groups[groups.start].tokens.start..self.groups[groups.end - 1].tokens.end
    }

    /// Its first groups only.
    pub(super) fn before(&self, group: usize) -> Self {
        Self {
            groups: self.groups[..group].to_vec(),
            is_measured: false,
            ..self.clone()
        }
    }

    pub(super) fn digits(&self) -> usize {
        self.groups.iter().map(|group| group.digits.len()).sum()
    }

    /// "one two three four five": somebody counts.
    pub(super) fn is_counting(&self) -> bool {
        const COUNTS: usize = 5;
        let value = |group: &Group| group.digits.parse::<u64>().unwrap_or(u64::MAX);
        let steps = |pair: &[Group]| value(&pair[0]).checked_add(1) == Some(value(&pair[1]));
        self.groups.len() >= COUNTS && self.groups.windows(2).all(steps)
    }

    fn whole(&self) -> Range<usize> {
        0..self.groups.len()
    }
}

fn card(run: &Run, cues: &Cues) -> Option<(Range<usize>, Sort)> {
    for from in 0..run.groups.len() {
        let mut digits = String::new();
        let mut longest = None;
        for (at, group) in run.groups.iter().enumerate().skip(from) {
            digits.push_str(&group.digits);
            if digits.len() > LONGEST {
                break;
            }
            if is_card(&digits) {
                longest = Some(at + 1);
            }
        }
        if let Some(to) = longest {
            return Some((from..to, Sort::Card));
        }
    }
    let is_named = cues.nearest() == Some(Cue::Card);
    let is_like_one = (12..=LONGEST + 8).contains(&run.digits());
    (is_named && is_like_one).then(|| (run.whole(), Sort::Card))
}

fn is_card(digits: &str) -> bool {
    is_issued(digits) && has_check_digit(digits)
}

/// Issuers' ranges and lengths as of 2026; ISO/IEC 7812-1.
fn is_issued(digits: &str) -> bool {
    let prefix = |length: usize| digits.get(..length).and_then(|p| p.parse::<u32>().ok());
    let (Some(two), Some(three), Some(four)) = (prefix(2), prefix(3), prefix(4)) else {
        return false;
    };
    match digits.len() {
        13 => two / 10 == 4,
        14 => matches!(three, 300..=305 | 309) || matches!(two, 36 | 38 | 39),
        15 => matches!(two, 34 | 37),
        length @ 16..=19 => {
            let is_visa = two / 10 == 4 && matches!(length, 16 | 19);
            let is_mastercard =
                length == 16 && (matches!(two, 51..=55) || matches!(four, 2221..=2720));
            is_visa
                || is_mastercard
                || two == 65
                || two == 62
                || matches!(three, 644..=649)
                || matches!(four, 6011 | 3528..=3589)
                || matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763)
        }
        _ => false,
    }
}

/// Luhn's formula, ISO/IEC 7812-1 annex B.
fn has_check_digit(digits: &str) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .chars()
        .rev()
        .filter_map(|c| c.to_digit(10))
        .enumerate()
        .map(|(at, digit)| if at % 2 == 1 { doubled(digit) } else { digit })
        .sum();
    sum.is_multiple_of(10)
}

/// What somebody has just named.
fn named(run: &Run, cues: &Cues) -> Option<(Range<usize>, Sort)> {
    let digits = run.digits();
    if cues.expects_code() && (3..=4).contains(&digits) {
        return Some((run.whole(), Sort::Code));
    }
    let is_about_expiry = cues.expects_expiry() || (cues.has_card() && is_month_and_year(run));
    if is_about_expiry && (3..=6).contains(&digits) {
        return Some((run.whole(), Sort::Expiry));
    }
    match cues.nearest()? {
        Cue::Ssn if (7..=11).contains(&digits) || digits == 4 => Some((run.whole(), Sort::Ssn)),
        Cue::Phone if (7..=16).contains(&digits) && !run.is_measured => {
            Some((run.whole(), Sort::Phone))
        }
        _ => None,
    }
}

/// "12/27", "oh four twenty nine".
fn is_month_and_year(run: &Run) -> bool {
    let digits: String = run
        .groups
        .iter()
        .map(|group| group.digits.as_str())
        .collect();
    let month = digits.get(..2).and_then(|month| month.parse::<u8>().ok());
    run.groups.len() >= 2 && matches!(digits.len(), 4 | 6) && matches!(month, Some(1..=12))
}

/// What is written or said in the groups of a phone or a social security number.
fn grouped(run: &Run, cues: &Cues) -> Option<(Range<usize>, Sort)> {
    if run.is_international && (8..=15).contains(&run.digits()) {
        return Some((run.whole(), Sort::Phone));
    }
    if cues.is_business() {
        return None;
    }
    let lengths: Vec<usize> = run.groups.iter().map(|group| group.digits.len()).collect();
    for from in 0..run.groups.len() {
        let digits = |groups: usize| -> String {
            let groups = run.groups.iter().skip(from).take(groups);
            groups.map(|group| group.digits.as_str()).collect()
        };
        match lengths[from..] {
            [1, 3, 3, 4, ..] if is_phone(&digits(4)) => {
                return Some((from..from + 4, Sort::Phone));
            }
            [3, 3, 4, ..] if is_phone(&digits(3)) => return Some((from..from + 3, Sort::Phone)),
            [3, 7, ..] | [6, 4, ..] if is_phone(&digits(2)) => {
                return Some((from..from + 2, Sort::Phone));
            }
            [3, 2, 4, ..] if is_ssn(&digits(3)) => return Some((from..from + 3, Sort::Ssn)),
            _ => {}
        }
    }
    None
}

/// Digits without groups and without a word about them: by structure alone.
fn bare(run: &Run, cues: &Cues) -> Option<(Range<usize>, Sort)> {
    if run.is_measured || cues.nearest() == Some(Cue::Business) {
        return None;
    }
    let digits: String = run
        .groups
        .iter()
        .map(|group| group.digits.as_str())
        .collect();
    let is_spoken = run.groups.iter().any(|group| group.is_spoken);
    let is_one = run.groups.len() == 1 || run.groups.iter().all(|group| group.digits.len() == 1);
    if !is_one && !is_spoken {
        return None;
    }
    // Nobody says so many digits of anything else, and some of them were misheard.
    if is_spoken && (12..=LONGEST + 8).contains(&digits.len()) {
        return Some((run.whole(), Sort::Number));
    }
    if is_phone(&digits) {
        return Some((run.whole(), Sort::Phone));
    }
    is_ssn(&digits).then(|| (run.whole(), Sort::Ssn))
}

/// Ten digits of the North American Numbering Plan, with or without its 1.
fn is_phone(digits: &str) -> bool {
    let national = match digits.len() {
        10 => digits,
        11 if digits.starts_with('1') => &digits[1..],
        _ => return false,
    };
    let begins = |at: usize| national.as_bytes()[at] >= b'2';
    begins(0) && begins(3)
}

/// Area, group and serial that were ever given out, and taxpayers' numbers, which begin with 9.
fn is_ssn(digits: &str) -> bool {
    digits.len() == 9
        && !digits.starts_with("000")
        && !digits.starts_with("666")
        && &digits[3..5] != "00"
        && &digits[5..] != "0000"
}
