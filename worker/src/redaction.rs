//! Core: the one door to everything that is written, logged or shown outside the room.
//!
//! Finds e-mail addresses, phone numbers, card numbers and social security numbers, as they are written
//! and as they are spoken, and puts a word such as `[phone]` in their place. Text comes whole ([`text`]),
//! as JSON ([`json`]), or in pieces cut anywhere ([`Stream`]); what is masked does not depend on the cuts.
//! The rules know North American numbers and whatever begins with `+`. When in doubt it masks: a record
//! that lacks an order number can be mended, one that holds a card number cannot. The model is not behind
//! this door: it hears what the caller says.

mod cues;
mod email;
mod lexer;
mod numerals;
mod policy;
mod recognise;
mod stream;
#[cfg(test)]
pub(crate) mod tests;

use serde_json::Value;

pub use stream::{Piece, Stream};

/// What was masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// A payment card's number.
    Card,
    /// Its verification code, which must not be kept at all.
    Code,
    /// Its date of expiry.
    Expiry,
    /// An e-mail address.
    Email,
    /// A phone number.
    Phone,
    /// A social security or tax number.
    Ssn,
    /// So many digits in a row that nobody can tell what is among them.
    Number,
    /// A password, a key, a token.
    Secret,
}

impl Sort {
    const ALL: [Self; 8] = [
        Self::Card,
        Self::Code,
        Self::Expiry,
        Self::Email,
        Self::Phone,
        Self::Ssn,
        Self::Number,
        Self::Secret,
    ];

    /// What is written in its place.
    pub fn mask(self) -> &'static str {
        match self {
            Self::Card => "[card]",
            Self::Code => "[code]",
            Self::Expiry => "[expiry]",
            Self::Email => "[e-mail]",
            Self::Phone => "[phone]",
            Self::Ssn => "[ssn]",
            Self::Number => "[number]",
            Self::Secret => "[secret]",
        }
    }
}

/// A whole text without what is personal in it.
pub fn text(text: &str) -> String {
    let mut stream = Stream::default();
    let mut clean = stream.push(text);
    clean.extend(stream.finish());
    written(&clean)
}

/// What is put down of these pieces.
pub fn written(pieces: &[Piece]) -> String {
    pieces.iter().map(Piece::written).collect()
}

/// A text in which there may be JSON, whole or broken, without what is personal in it.
pub fn mixed(text: &str) -> String {
    policy::mixed("", text)
}

/// A JSON value without what is personal in it: by what a member is called, and by what it holds.
pub fn json(value: &mut Value) {
    policy::clean("", value);
}
