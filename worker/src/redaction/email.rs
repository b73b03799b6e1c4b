//! Core: e-mail addresses as people say them: "jane dot doe at example dot com".

use super::{
    lexer::{Kind, Token},
    numerals::{Read, numeral},
};

/// Most words and letters on one side of the "at".
const MOST_ATOMS: usize = 32;
/// Most words of a domain before its first "dot": "at the blue door dental dot com".
const MOST_DOMAIN_WORDS: usize = 5;

/// The address that begins at `at`. `is_expected`: somebody has just said that one comes.
pub(super) fn address(tokens: &[Token], at: usize, is_expected: bool, is_over: bool) -> Read<()> {
    let mut reader = Reader {
        tokens,
        at,
        is_over,
    };
    match reader.address(is_expected) {
        Ok(()) => Read::Yes((), reader.at),
        Err(Stop::NotHere) => Read::No,
        Err(Stop::TooShort) => Read::Open,
    }
}

/// Why a reading ended.
enum Stop {
    NotHere,
    TooShort,
}

struct Reader<'a> {
    tokens: &'a [Token],
    at: usize,
    is_over: bool,
}

/// What stands between two parts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// A dot, a dash, an underscore, said or written.
    Joined,
    /// Only a space.
    Loose,
    /// "at", or its sign.
    At { is_sign: bool },
}

impl Reader<'_> {
    fn address(&mut self, is_expected: bool) -> Result<(), Stop> {
        let is_sign = self.local(is_expected)?;
        self.domain(is_sign)
    }

    /// Up to and with the "at"; whether that was its sign.
    fn local(&mut self, is_expected: bool) -> Result<bool, Stop> {
        let mut atoms = 0;
        let mut joints = 0;
        let mut is_first_weak = false;
        let mut was_short = false;
        loop {
            let (atom, is_short) = self.atom()?;
            let is_weak = !is_short && is_weak(atom);
            if atoms == 0 {
                is_first_weak = is_weak;
            }
            atoms += 1;
            if atoms > MOST_ATOMS {
                return Err(Stop::NotHere);
            }
            let before = self.at;
            match self.link()? {
                Link::At { is_sign } => {
                    let is_bare = atoms == 1 && is_weak && !is_sign;
                    return if is_bare {
                        Err(Stop::NotHere)
                    } else {
                        Ok(is_sign)
                    };
                }
                Link::Joined => joints += 1,
                Link::Loose => {
                    let next_is_short = self.peek_is_short()?;
                    let goes_on = is_short || was_short || next_is_short || is_expected;
                    let is_start_of_speech = is_first_weak && joints == 0;
                    let is_bare_weak = is_weak && joints == 0;
                    if !goes_on || is_bare_weak || is_start_of_speech {
                        self.at = before;
                        return Err(Stop::NotHere);
                    }
                }
            }
            was_short = is_short;
        }
    }

    fn domain(&mut self, is_sign: bool) -> Result<(), Stop> {
        self.skip_spaces()?;
        let mut words = 0;
        // The name, up to its first dot.
        loop {
            let (_, is_short) = self.atom()?;
            words += usize::from(!is_short);
            if words > MOST_DOMAIN_WORDS {
                return Err(Stop::NotHere);
            }
            match self.link()? {
                Link::Joined => break,
                Link::Loose => {}
                Link::At { .. } => return Err(Stop::NotHere),
            }
        }
        // Its other labels; the last one must be the end of an address on the Internet.
        let mut end = None;
        loop {
            let label = self.label()?;
            if is_top_level(&label) || (is_sign && label.len() > 1) {
                end = Some(self.at);
            }
            match self.link() {
                Ok(Link::Joined) => {}
                Err(Stop::TooShort) if !self.is_over => return Err(Stop::TooShort),
                _ => break,
            }
        }
        self.at = end.ok_or(Stop::NotHere)?;
        Ok(())
    }

    /// One label of a domain; "c o m" is one.
    fn label(&mut self) -> Result<String, Stop> {
        let (first, mut is_short) = self.atom()?;
        let mut label = first.to_lowercase();
        while is_short {
            let before = self.at;
            let goes_on = match self.tokens.get(self.at) {
                None if !self.is_over => return Err(Stop::TooShort),
                Some(token) if token.kind == Kind::Space => {
                    self.at += 1;
                    self.peek_is_short()?
                }
                _ => false,
            };
            if !goes_on {
                self.at = before;
                break;
            }
            let (next, is_letter) = self.atom()?;
            label.push_str(&next.to_lowercase());
            is_short = is_letter;
        }
        Ok(label)
    }

    /// A word, a number, a letter; whether it is one that people string together.
    fn atom(&mut self) -> Result<(&str, bool), Stop> {
        let is_short = self.peek_is_short()?;
        let token = self.tokens.get(self.at).ok_or(Stop::NotHere)?;
        let is_atom = matches!(token.kind, Kind::Word(_) | Kind::Number(_) | Kind::Opaque);
        if !is_atom || is_at(token) {
            return Err(Stop::NotHere);
        }
        self.at += 1;
        Ok((&token.text, is_short))
    }

    /// Letters and numbers follow one another without a joint.
    fn peek_is_short(&self) -> Result<bool, Stop> {
        let Some(token) = self.tokens.get(self.at) else {
            return Err(self.end());
        };
        Ok(match &token.kind {
            Kind::Number(_) => true,
            Kind::Word(word) => {
                word.chars().count() == 1
                    || !matches!(numeral(self.tokens, self.at, true), Read::No)
            }
            _ => false,
        })
    }

    /// What joins the part before with the one after; stands at the latter.
    fn link(&mut self) -> Result<Link, Stop> {
        let Some(token) = self.tokens.get(self.at) else {
            return Err(self.end());
        };
        if token.is_mark('@') {
            self.at += 1;
            return Ok(Link::At { is_sign: true });
        }
        if is_joint_mark(token) {
            // A full stop before a space ends a sentence.
            return match self.tokens.get(self.at + 1) {
                None => Err(self.end()),
                Some(next) if next.kind == Kind::Space => Err(Stop::NotHere),
                Some(_) => {
                    self.at += 1;
                    Ok(Link::Joined)
                }
            };
        }
        if token.kind != Kind::Space {
            return Err(Stop::NotHere);
        }
        self.skip_spaces()?;
        let Some(word) = self.tokens.get(self.at) else {
            return Err(self.end());
        };
        if word.is_mark('@') {
            self.at += 1;
            return Ok(Link::At { is_sign: true });
        }
        if is_at(word) {
            self.at += 1;
            return self.after_at();
        }
        if is_joint_word(word) || is_joint_mark(word) {
            self.at += 1;
            self.skip_spaces()?;
            return Ok(Link::Joined);
        }
        Ok(Link::Loose)
    }

    /// "at", or "at sign".
    fn after_at(&mut self) -> Result<Link, Stop> {
        self.skip_spaces()?;
        let Some(next) = self.tokens.get(self.at) else {
            return Err(self.end());
        };
        let is_sign = matches!(next.word(), Some("sign" | "symbol"));
        if is_sign {
            self.at += 1;
        }
        Ok(Link::At { is_sign })
    }

    fn skip_spaces(&mut self) -> Result<(), Stop> {
        let is_space = |token: &Token| token.kind == Kind::Space && token.text != "\n";
        while self.tokens.get(self.at).is_some_and(is_space) {
            self.at += 1;
        }
        match self.tokens.get(self.at) {
            None => Err(self.end()),
            Some(_) => Ok(()),
        }
    }

    fn end(&self) -> Stop {
        if self.is_over {
            Stop::NotHere
        } else {
            Stop::TooShort
        }
    }
}

fn is_at(token: &Token) -> bool {
    token.word() == Some("at")
}

fn is_joint_word(token: &Token) -> bool {
    matches!(
        token.word(),
        Some("dot" | "period" | "point" | "underscore" | "dash" | "hyphen" | "minus" | "plus")
    )
}

fn is_joint_mark(token: &Token) -> bool {
    matches!(token.kind, Kind::Mark('.' | '_' | '-' | '+'))
}

/// Words that stand before an "at" without being anybody's name.
fn is_weak(word: &str) -> bool {
    matches!(
        word.to_lowercase().as_str(),
        "us" | "me"
            | "it"
            | "look"
            | "looking"
            | "looked"
            | "visit"
            | "find"
            | "found"
            | "online"
            | "website"
            | "page"
            | "site"
            | "meet"
            | "him"
            | "her"
            | "them"
            | "be"
            | "are"
            | "is"
            | "was"
            | "were"
            | "order"
            | "orders"
            | "check"
            | "available"
            | "more"
            | "shop"
            | "out"
            | "my"
            | "the"
            | "a"
            | "an"
            | "and"
            | "or"
            | "to"
            | "of"
            | "for"
            | "in"
            | "on"
            | "you"
            | "we"
            | "they"
            | "he"
            | "she"
            | "this"
            | "that"
            | "that's"
            | "it's"
            | "book"
            | "booking"
            | "register"
            | "up"
            | "works"
            | "work"
            | "working"
            | "worked"
            | "employed"
            | "details"
            | "information"
            | "info"
            | "prices"
            | "menu"
            | "read"
            | "see"
            | "go"
            | "went"
            | "buy"
            | "bought"
            | "sold"
            | "blog"
            | "careers"
            | "jobs"
            | "someone"
            | "anyone"
            | "please"
            | "e"
            | "not"
            | "so"
            | "here"
            | "there"
            | "live"
            | "located"
            | "email"
            | "mail"
            | "address"
            | "reach"
            | "contact"
            | "write"
            | "no"
            | "yes"
    )
}

fn is_top_level(label: &str) -> bool {
    matches!(
        label,
        "com"
            | "org"
            | "net"
            | "edu"
            | "gov"
            | "mil"
            | "io"
            | "co"
            | "us"
            | "uk"
            | "ca"
            | "de"
            | "ai"
            | "dev"
            | "app"
            | "info"
            | "biz"
            | "me"
            | "fr"
            | "eu"
            | "in"
            | "au"
            | "nl"
            | "es"
            | "it"
            | "ch"
            | "se"
            | "no"
            | "dk"
            | "fi"
            | "be"
            | "at"
            | "pl"
            | "pt"
            | "ie"
            | "nz"
            | "mx"
            | "br"
            | "jp"
            | "cn"
            | "tv"
            | "xyz"
            | "online"
            | "shop"
            | "health"
            | "care"
            | "dental"
            | "example"
            | "test"
            | "email"
            | "cloud"
            | "tech"
            | "site"
    )
}
