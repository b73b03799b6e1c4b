//! Core: what the words before a number say about it.

use super::{
    Sort,
    lexer::{Kind, Token},
};

/// How many words a cue is believed for: "my social security number, let me see, I have it here, is".
const REACH: u32 = 14;
/// The same for what is named right before it.
const NEAR: u32 = 6;
/// How long what is said after a card's number is about that card, in words.
const ABOUT_THE_CARD: u32 = 40;

/// A word that says what the next number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cue {
    Card,
    Phone,
    Ssn,
    /// An order, a ticket, a price: a number that is nobody's.
    Business,
}

/// Words since each cue; `None` = not yet, or too long ago to matter.
#[derive(Clone, Debug, Default)]
pub(super) struct Cues {
    named: Vec<(Cue, u32)>,
    code: Option<u32>,
    expiry: Option<u32>,
    email: Option<u32>,
    card_seen: Option<u32>,
    previous: String,
}

impl Cues {
    /// A token has passed.
    pub(super) fn pass(&mut self, token: &Token) {
        match &token.kind {
            Kind::Word(word) => self.word(word),
            Kind::Mask(sort) => self.masked(*sort),
            Kind::Number(_) | Kind::Opaque | Kind::Email => self.age(),
            Kind::Space | Kind::Mark(_) => {}
        }
    }

    /// Something was masked.
    pub(super) fn masked(&mut self, sort: Sort) {
        self.age();
        if sort == Sort::Card {
            self.card_seen = Some(0);
        }
    }

    /// The cue nearest to what comes now.
    pub(super) fn nearest(&self) -> Option<Cue> {
        let nearest = self.named.iter().min_by_key(|(_, age)| *age)?;
        Some(nearest.0)
    }

    /// It was called an order, a ticket, a price right before.
    pub(super) fn is_business(&self) -> bool {
        let nearest = self.named.iter().min_by_key(|(_, age)| *age);
        matches!(nearest, Some((Cue::Business, age)) if *age <= NEAR)
    }

    /// A verification code was asked for, or a card's number stands right before.
    pub(super) fn expects_code(&self) -> bool {
        self.code.is_some()
    }

    pub(super) fn expects_expiry(&self) -> bool {
        self.expiry.is_some()
    }

    pub(super) fn expects_email(&self) -> bool {
        self.email.is_some()
    }

    pub(super) fn has_card(&self) -> bool {
        self.card_seen.is_some()
    }

    fn word(&mut self, word: &str) {
        let previous = std::mem::take(&mut self.previous);
        self.age();
        if let Some(cue) = cue(word) {
            self.named.retain(|(named, _)| *named != cue);
            self.named.push((cue, 0));
        }
        match word {
            "cvv" | "cvc" | "cvv2" | "cvc2" | "csc" => self.code = Some(0),
            "code" if matches!(previous.as_str(), "security" | "verification") => {
                self.code = Some(0);
            }
            "exp" | "expires" | "expiry" | "expiration" | "expiring" | "thru" => {
                self.expiry = Some(0);
            }
            "email" | "mail" | "gmail" => self.email = Some(0),
            _ => {}
        }
        word.clone_into(&mut self.previous);
    }

    fn age(&mut self) {
        for (_, age) in &mut self.named {
            *age += 1;
        }
        self.named.retain(|(_, age)| *age <= REACH);
        for (age, limit) in [
            (&mut self.code, NEAR + 2),
            (&mut self.expiry, NEAR),
            (&mut self.email, NEAR + 2),
            (&mut self.card_seen, ABOUT_THE_CARD),
        ] {
            *age = age.map(|age| age + 1).filter(|age| *age <= limit);
        }
        self.previous.clear();
    }
}

fn cue(word: &str) -> Option<Cue> {
    Some(match word {
        "card" | "visa" | "mastercard" | "amex" | "express" | "debit" | "credit" | "cc" => {
            Cue::Card
        }
        "phone" | "phones" | "cell" | "cellphone" | "mobile" | "telephone" | "tel" | "fax"
        | "call" | "callback" | "text" | "dial" | "reach" | "whatsapp" | "sms" | "landline" => {
            Cue::Phone
        }
        "ssn" | "social" | "itin" | "tin" | "taxpayer" => Cue::Ssn,
        "order" | "orders" | "tracking" | "invoice" | "confirmation" | "reference" | "ref"
        | "case" | "ticket" | "flight" | "serial" | "model" | "sku" | "isbn" | "imei"
        | "version" | "build" | "id" | "ids" | "zip" | "postal" | "room" | "booking"
        | "reservation" | "policy" | "claim" | "part" | "item" | "product" | "po" | "purchase"
        | "shipment" | "parcel" | "package" | "upc" | "ean" | "barcode" | "lot" | "batch"
        | "meter" | "vin" | "member" | "membership" | "loyalty" | "quantity" | "total"
        | "price" | "amount" | "balance" | "population" | "timestamp" | "epoch" | "record"
        | "transaction" | "warehouse" | "asset" | "contract" | "customer" | "sequence"
        | "bytes" | "cents" | "ms" | "duration" => Cue::Business,
        _ => return None,
    })
}
