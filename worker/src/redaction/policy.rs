//! Core: what a member of a JSON object may hold, by its name and by its content.

use serde_json::{Map, Value};

use super::{Piece, Sort, Stream, written};

/// Redacts in place; `name` is the member's own name, or that of the list it stands in.
pub(super) fn clean(name: &str, value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::String(_) | Value::Number(_) => scalar(name, value),
        Value::Array(list) => array(name, list),
        Value::Object(members) => object(members),
    }
}

fn object(members: &mut Map<String, Value>) {
    for (name, mut value) in std::mem::take(members) {
        clean(&name, &mut value);
        members.insert(super::text(&name), value);
    }
}

/// A number cut into the elements of a list is still a number.
fn array(name: &str, list: &mut [Value]) {
    let is_scalar = |value: &Value| value.is_string() || value.is_number();
    let is_cut = list.len() > 1 && list.iter().all(is_scalar) && {
        let texts: Vec<String> = list.iter().map(plain).collect();
        let apart: Vec<String> = texts.iter().map(|text| redacted(name, text)).collect();
        redacted(name, &texts.join(" ")) != apart.join(" ")
    };
    for value in list {
        let has_digit = plain(value).contains(|c: char| c.is_numeric());
        if is_cut && has_digit {
            *value = Value::String(Sort::Number.mask().to_owned());
        } else {
            clean(name, value);
        }
    }
}

fn scalar(name: &str, value: &mut Value) {
    let text = plain(value);
    if let Some(sort) = named(name) {
        if !text.is_empty() {
            *value = Value::String(sort.mask().to_owned());
        }
        return;
    }
    let clean = redacted(name, &text);
    if clean != text {
        *value = Value::String(clean);
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The words of the member's name say what it is.
fn redacted(name: &str, text: &str) -> String {
    let mut stream = Stream::default();
    stream.hear(&words(name).join(" "));
    let mut pieces: Vec<Piece> = stream.push(text);
    pieces.extend(stream.finish());
    written(&pieces)
}

/// `cardNumber`, `card_number` and `card-number` → card, number.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase();
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Names whose value is personal whatever it looks like.
fn named(name: &str) -> Option<Sort> {
    let words = words(name);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let is = |wanted: &str| words.concat() == wanted;
    if has(&["password", "passwd", "secret", "authorization", "apikey"])
        || is("apikey")
        || is("accesstoken")
    {
        return Some(Sort::Secret);
    }
    if has(&["cvv", "cvc", "cvv2", "csc"]) || is("securitycode") {
        return Some(Sort::Code);
    }
    if has(&["ssn", "itin"]) || is("socialsecuritynumber") || is("socialsecurity") {
        return Some(Sort::Ssn);
    }
    if is("cardnumber") || is("creditcard") || is("creditcardnumber") || is("pan") {
        return Some(Sort::Card);
    }
    if is("email") || is("emailaddress") || is("mail") {
        return Some(Sort::Email);
    }
    if is("phone") || is("phonenumber") || is("mobile") || is("mobilenumber") || is("callback") {
        return Some(Sort::Phone);
    }
    None
}
