//! Core: text → tokens; what is plainly no personal number (a date, an amount, an address of a machine)
//! leaves as one opaque token.

use std::sync::LazyLock;

use regex::Regex;

use super::Sort;

/// Longest text without a space that is looked at whole, in bytes. No address or number is longer.
const LONGEST_CHUNK: usize = 512;

/// Shortest row of digits that is taken out of a word such as `tel4155551212`.
const NUMBER_IN_WORD: usize = 9;

/// A piece of text with one meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// As it stood there.
    pub(super) text: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One character of white space.
    Space,
    /// Letters, in lower case.
    Word(String),
    /// Digits, as ASCII.
    Number(String),
    /// Any other character.
    Mark(char),
    /// An e-mail address as it is written.
    Email,
    /// Something with digits that is no personal number.
    Opaque,
    /// What an earlier pass put there.
    Mask(Sort),
}

impl Token {
    fn new(text: &str, kind: Kind) -> Self {
        Self {
            text: text.to_owned(),
            kind,
        }
    }

    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// Cuts text that comes in pieces. Holds the last word until it is known to be whole.
#[derive(Clone, Debug, Default)]
pub(super) struct Lexer {
    pending: String,
}

impl Lexer {
    /// The tokens that `text` completes.
    pub(super) fn push(&mut self, text: &str) -> Vec<Token> {
        self.pending.push_str(text);
        let mut tokens = Vec::new();
        let mut from = 0;
        while let Some(to) = chunk_end(&self.pending[from..]) {
            lex(&self.pending[from..from + to], &mut tokens);
            from += to;
        }
        self.pending.drain(..from);
        tokens
    }

    /// What is still held; the text is over.
    pub(super) fn finish(&mut self) -> Vec<Token> {
        let mut tokens = Vec::new();
        lex(&std::mem::take(&mut self.pending), &mut tokens);
        tokens
    }
}

/// Bytes up to where a cut changes no meaning: a space, or after very long text without one.
fn chunk_end(text: &str) -> Option<usize> {
    let mut last_cut = 0;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() {
            return Some(if at == 0 { c.len_utf8() } else { at });
        }
        if at >= LONGEST_CHUNK {
            return Some(if last_cut == 0 { at } else { last_cut });
        }
        if !c.is_alphanumeric() && !matches!(c, '-' | '.' | '_' | '+' | '@' | '(' | ')' | '%') {
            last_cut = at + c.len_utf8();
        }
    }
    None
}

macro_rules! pattern {
    ($name:ident, $pattern:expr) => {
        static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(concat!("^(?:", $pattern, ")")).expect("a pattern"));
    };
}

pattern!(
    EMAIL,
    r"[\p{L}\p{N}][\p{L}\p{N}._%+'\-]*@[\p{L}\p{N}][\p{L}\p{N}\-]*(?:\.[\p{L}\p{N}\-]+)+"
);
pattern!(
    STAMP,
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
);
pattern!(
    DATE,
    r"[0-9]{1,2}/[0-9]{1,2}/(?:[0-9]{4}|[0-9]{2})|[0-9]{1,2}-[0-9]{1,2}-[0-9]{4}|[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}"
);
pattern!(TIME, r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?");
pattern!(MONEY, r"[$€£¥][0-9][0-9,]{0,14}(?:\.[0-9]{1,4})?");
pattern!(THOUSANDS, r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?");
pattern!(SHARE, r"[0-9]{1,6}(?:\.[0-9]+)?%");
pattern!(DOTTED, r"[0-9]+(?:\.[0-9]+){1,3}");
pattern!(
    UUID,
    r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"
);
pattern!(
    ALPHANUMERIC,
    r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}]|['’][\p{L}])*"
);

/// The tokens of one chunk; it holds no white space, or is one.
fn lex(chunk: &str, tokens: &mut Vec<Token>) {
    let mut rest = chunk;
    while let Some(first) = rest.chars().next() {
        let length = masked(rest, tokens)
            .or_else(|| opaque(rest, tokens))
            .or_else(|| alphanumeric(rest, tokens));
        let length = length.unwrap_or_else(|| {
            let length = first.len_utf8();
            let kind = if first.is_whitespace() {
                Kind::Space
            } else {
                Kind::Mark(plain(first))
            };
            tokens.push(Token::new(&rest[..length], kind));
            length
        });
        rest = &rest[length..];
    }
}

/// The dashes and signs of other typewriters.
fn plain(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FF0D}' => '-',
        '\u{FF0B}' => '+',
        '\u{FF20}' => '@',
        '\u{FF0E}' | '\u{00B7}' | '\u{2022}' => '.',
        c => c,
    }
}

fn masked(rest: &str, tokens: &mut Vec<Token>) -> Option<usize> {
    let is_here = |sort: &Sort| rest.starts_with(sort.mask());
    let sort = Sort::ALL.into_iter().find(is_here)?;
    tokens.push(Token::new(sort.mask(), Kind::Mask(sort)));
    Some(sort.mask().len())
}

fn opaque(rest: &str, tokens: &mut Vec<Token>) -> Option<usize> {
    let first = rest.chars().next()?;
    if let Some(found) = EMAIL.find(rest) {
        tokens.push(Token::new(found.as_str(), Kind::Email));
        return Some(found.end());
    }
    if is_inside_number(tokens) {
        return None;
    }
    if !first.is_ascii_hexdigit() && !matches!(first, '$' | '€' | '£' | '¥') {
        return None;
    }
    let patterns = [
        &STAMP, &DATE, &TIME, &MONEY, &THOUSANDS, &SHARE, &DOTTED, &UUID,
    ];
    let found = patterns
        .into_iter()
        .filter_map(|pattern| pattern.find(rest))
        .find(|found| ends_here(&rest[found.end()..]) && !is_grouped_number(found.as_str()))?;
    tokens.push(Token::new(found.as_str(), Kind::Opaque));
    Some(found.end())
}

/// What comes next goes on with a number, as the second group of 415.555.2671 does.
fn is_inside_number(tokens: &[Token]) -> bool {
    match tokens {
        [.., number, mark] => {
            matches!(number.kind, Kind::Number(_)) && matches!(mark.kind, Kind::Mark('.' | '-'))
        }
        _ => false,
    }
}

/// Not in the middle of a longer number or word.
fn ends_here(after: &str) -> bool {
    let mut after = after.chars();
    match (after.next(), after.next()) {
        (Some(c), _) if c.is_alphanumeric() => false,
        (Some('-' | '.' | '/' | ':' | ',' | '@'), Some(c)) => !c.is_alphanumeric(),
        _ => true,
    }
}

/// Dots between the groups of a phone, a card or a social security number.
fn is_grouped_number(text: &str) -> bool {
    let groups: Vec<usize> = text.split('.').map(str::len).collect();
    matches!(
        groups[..],
        [3, 3, 4] | [1, 3, 3, 4] | [3, 2, 4] | [4, 4, 4, 4] | [4, 6, 5]
    )
}

fn alphanumeric(rest: &str, tokens: &mut Vec<Token>) -> Option<usize> {
    let found = ALPHANUMERIC.find(rest)?;
    let text = found.as_str();
    let digits = text.chars().filter(|c| digit(*c).is_some()).count();
    if digits == 0 {
        tokens.push(word(text));
    } else if digits == text.chars().count() {
        tokens.push(number(text));
    } else if let Some((before, after)) = cut_out(text) {
        tokens.push(before);
        tokens.push(after);
    } else {
        tokens.push(Token::new(text, Kind::Opaque));
    }
    Some(found.end())
}

fn word(text: &str) -> Token {
    Token::new(text, Kind::Word(text.to_lowercase().replace('’', "'")))
}

fn number(text: &str) -> Token {
    let digits = text.chars().filter_map(digit).collect();
    Token::new(text, Kind::Number(digits))
}

/// `tel4155551212` and `4155551212x`: a word and a long number that share no letter.
fn cut_out(text: &str) -> Option<(Token, Token)> {
    let is_digit = |c: char| digit(c).is_some();
    let first_is_digit = text.chars().next().is_some_and(is_digit);
    let cut = text.find(|c| is_digit(c) != first_is_digit)?;
    let (left, right) = text.split_at(cut);
    if right.contains(|c| is_digit(c) == first_is_digit) {
        return None;
    }
    let (letters, digits) = if first_is_digit {
        (right, left)
    } else {
        (left, right)
    };
    let names_it = matches!(
        letters.to_lowercase().as_str(),
        "tel"
            | "phone"
            | "ph"
            | "cell"
            | "fax"
            | "ssn"
            | "card"
            | "cc"
            | "x"
            | "ext"
            | "is"
            | "call"
    );
    if !names_it || digits.chars().count() < NUMBER_IN_WORD {
        return None;
    }
    Some(if first_is_digit {
        (number(left), word(right))
    } else {
        (word(left), number(right))
    })
}

/// A decimal digit of any script that phones and keyboards write.
fn digit(c: char) -> Option<char> {
    const ZEROS: [char; 6] = ['0', '٠', '۰', '०', '০', '\u{FF10}'];
    ZEROS.into_iter().find_map(|zero| {
        let value = u32::from(c).checked_sub(u32::from(zero))?;
        (value < 10).then(|| char::from_digit(value, 10))?
    })
}
