//! Core: text that comes in pieces; what may still become something personal is held back.
//!
//! What a token means is decided once, from the tokens before it and as many after it as are needed, so
//! that where the text was cut changes nothing. Holds at most [`MOST_HELD`] tokens of at most 512 bytes,
//! and usually the last word.

use super::{
    Sort,
    cues::Cues,
    email,
    lexer::{Kind, Lexer, Token},
    numerals::{Read, numeral},
    recognise,
};

/// A card's number, spoken digit by digit with a hesitation after each, is shorter.
const MOST_HELD: usize = 160;

/// A row of more digits than any number has, when it is too long to be held.
const ENDLESS: usize = 30;

/// What became of a part of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// It may be written down.
    Kept(String),
    /// It may not.
    Masked {
        /// What it was.
        sort: Sort,
        /// Bytes it had.
        length: usize,
    },
}

impl Piece {
    /// What is put down of it.
    pub fn written(&self) -> &str {
        match self {
            Self::Kept(text) => text,
            Self::Masked { sort, .. } => sort.mask(),
        }
    }
}

/// What one person says, over all their sentences.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    lexer: Lexer,
    held: Vec<Token>,
    cues: Cues,
    /// The end of an endless row of digits has not come yet.
    is_endless: bool,
}

/// What happens to the first tokens that are held.
enum Verdict {
    Keep(usize),
    Mask(usize, Sort),
    Wait,
}

impl Stream {
    /// Takes the next piece; gives what is decided by now.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for token in self.lexer.push(text) {
            self.take(token, &mut pieces);
        }
        pieces
    }

    /// Nothing follows: gives the rest.
    pub fn finish(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for token in self.lexer.finish() {
            self.take(token, &mut pieces);
        }
        self.settle(true, &mut pieces);
        self.is_endless = false;
        pieces
    }

    /// What is held, as if nothing followed. A number that may still become a longer one is masked,
    /// because what it is nobody can tell yet.
    pub fn preview(&self) -> String {
        let mut copy = self.clone();
        let unsure = |piece: Piece| match piece {
            Piece::Kept(text) if has_number(&text) => Sort::Number.mask().to_owned(),
            piece => piece.written().to_owned(),
        };
        copy.finish().into_iter().map(unsure).collect()
    }

    /// Somebody else said this: a question says what the answer is.
    pub fn hear(&mut self, text: &str) {
        for token in &tokens(text) {
            self.cues.pass(token);
        }
    }

    fn take(&mut self, token: Token, pieces: &mut Vec<Piece>) {
        self.held.push(token);
        self.settle(false, pieces);
    }

    fn settle(&mut self, is_over: bool, pieces: &mut Vec<Piece>) {
        while !self.held.is_empty() {
            let must_end = is_over || self.held.len() >= MOST_HELD;
            if self.is_endless {
                match self.endless(must_end) {
                    Some(count) => self.drop_first(count),
                    None => return,
                }
                continue;
            }
            match self.verdict(must_end, is_over) {
                Verdict::Keep(count) => self.keep(count, pieces),
                Verdict::Mask(count, sort) => self.mask(count, sort, pieces),
                Verdict::Wait => return,
            }
        }
    }

    fn verdict(&mut self, must_end: bool, is_over: bool) -> Verdict {
        match self.held[0].kind {
            Kind::Email => return Verdict::Mask(1, Sort::Email),
            Kind::Space | Kind::Mask(_) => return Verdict::Keep(1),
            _ => {}
        }
        match email::address(&self.held, 0, self.cues.expects_email(), must_end) {
            Read::Yes((), count) => return Verdict::Mask(count, Sort::Email),
            Read::Open => return Verdict::Wait,
            Read::No => {}
        }
        match recognise::run(&self.held, must_end) {
            Read::No => Verdict::Keep(1),
            Read::Open => Verdict::Wait,
            Read::Yes(run, count) if must_end && !is_over && run.digits() >= ENDLESS => {
                if run.is_counting() {
                    return Verdict::Keep(count);
                }
                self.is_endless = true;
                Verdict::Mask(count, Sort::Number)
            }
            Read::Yes(run, count) => self.first_of(run, count),
        }
    }

    /// Masks what the run begins with, or keeps it up to what will be masked next.
    fn first_of(&self, mut run: recognise::Run, count: usize) -> Verdict {
        let mut kept = count;
        loop {
            let Some((groups, sort)) = recognise::first(&run, &self.cues) else {
                return Verdict::Keep(kept);
            };
            let tokens = run.tokens(groups.clone());
            if groups.start == 0 {
                return Verdict::Mask(tokens.end, sort);
            }
            kept = tokens.start;
            run = run.before(groups.start);
        }
    }

    /// How many of the first tokens still belong to an endless row; `None` = that is not known yet.
    fn endless(&mut self, must_end: bool) -> Option<usize> {
        let from = usize::from(self.held[0].kind == Kind::Space);
        match recognise::run(&self.held[from..], must_end) {
            Read::Yes(_, count) => Some(from + count),
            Read::Open => None,
            Read::No => {
                self.is_endless = false;
                Some(0)
            }
        }
    }

    fn drop_first(&mut self, count: usize) {
        self.held.drain(..count);
    }

    fn keep(&mut self, count: usize, pieces: &mut Vec<Piece>) {
        for token in self.held.drain(..count) {
            self.cues.pass(&token);
            match pieces.last_mut() {
                Some(Piece::Kept(text)) => text.push_str(&token.text),
                _ => pieces.push(Piece::Kept(token.text)),
            }
        }
    }

    fn mask(&mut self, count: usize, sort: Sort, pieces: &mut Vec<Piece>) {
        let length = self.held.drain(..count).map(|token| token.text.len()).sum();
        self.cues.masked(sort);
        pieces.push(Piece::Masked { sort, length });
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer::default();
    let mut tokens = lexer.push(text);
    tokens.extend(lexer.finish());
    tokens
}

/// Digits, written or spoken.
fn has_number(text: &str) -> bool {
    let tokens = tokens(text);
    let is_number = |at: usize| !matches!(numeral(&tokens, at, true), Read::No);
    (0..tokens.len()).any(is_number)
}
