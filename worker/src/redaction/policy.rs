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

/// A number or an address that is cut into the elements of a list is still one.
fn array(name: &str, list: &mut [Value]) {
    let is_scalar = |value: &Value| value.is_string() || value.is_number();
    let is_cut = list.len() > 1 && list.iter().all(is_scalar) && {
        let texts: Vec<String> = list.iter().map(plain).collect();
        let apart: Vec<String> = texts.iter().map(|text| redacted(name, text)).collect();
        redacted(name, &texts.join(" ")) != apart.join(" ")
    };
    for value in list {
        if is_cut {
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
    let clean = mixed(name, &text);
    if clean != text {
        *value = Value::String(clean);
    }
}

/// A text that may hold JSON, as services answer it and models write it: line ends, quotes and commas in it
/// stand between things that belong together.
pub(super) fn mixed(name: &str, text: &str) -> String {
    let Some(start) = text.find(['{', '[']) else {
        return redacted(name, text);
    };
    let (before, rest) = text.split_at(start);
    if let Ok(mut value) = serde_json::from_str::<Value>(rest) {
        clean(name, &mut value);
        return redacted(name, before) + &value.to_string();
    }
    // Broken, or cut: what only shows without the signs cannot be told from what stands beside it.
    let kept = redacted(name, text);
    let bare = redacted(name, &text.replace("\\n", " ").replace(SIGNS, " "));
    let is_there = |sort: &Sort| [&kept, &bare].iter().any(|text| text.contains(sort.mask()));
    let there = Sort::ALL.into_iter().filter(is_there).map(Sort::mask);
    let there: Vec<&str> = there.collect();
    if there.is_empty() || !text.contains('"') {
        return kept;
    }
    format!("(not kept: no whole JSON, with {})", there.join(", "))
}

/// What JSON puts between texts.
const SIGNS: [char; 8] = ['"', ',', ':', '[', ']', '{', '}', '\\'];

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
