//! Core: JSON text → value, without the places where two readers see two things (RFC 8259, section 4).
//!
//! A key that comes twice, a number no machine holds and nesting without end are refused, each with its
//! path, so that what was checked is what is run. Does not know schemas.

use std::{cell::Cell, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects and arrays inside each other.
pub const DEEPEST: usize = 32;
/// Members of all objects and arrays together.
pub const MOST_VALUES: usize = 10_000;
/// Above this a double cannot tell one integer from the next.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads one JSON value.
///
/// # Errors
/// Where and why it is refused; no values, which may be personal.
pub fn parse(text: &str) -> Result<Value, String> {
    let read = Cell::new(0);
    let path = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let strict = Strict {
        depth: 0,
        read: &read,
        path: &path,
    };
    let value = strict.deserialize(&mut deserializer);
    let value = value.and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| match path.take() {
        Some(path) => format!("at `{path}`: {error}"),
        None => error.to_string(),
    })
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    /// Values so far.
    read: &'a Cell<usize>,
    /// Grows from the mistake outwards.
    path: &'a Cell<Option<String>>,
}

impl Strict<'_> {
    fn inner(self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self
        }
    }

    fn count<E: de::Error>(&self) -> Result<(), E> {
        self.read.set(self.read.get() + 1);
        if self.read.get() > MOST_VALUES {
            return Err(E::custom(format!("more than {MOST_VALUES} values")));
        }
        if self.depth > DEEPEST {
            return Err(E::custom(format!("nested deeper than {DEEPEST} levels")));
        }
        Ok(())
    }

    fn found_below(&self, step: &str) {
        let below = self.path.take().unwrap_or_default();
        // A pointer grows with the depth, which is bounded; its keys are the model's and are cut.
        let step: String = step.chars().take(64).collect();
        self.path.set(Some(format!("/{step}{below}")));
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() > LARGEST_EXACT {
            return Err(E::custom("a number too large to be exact"));
        }
        let number = Number::from_f64(value).ok_or_else(|| E::custom("no number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        loop {
            match items.next_element_seed(self.inner()) {
                Ok(Some(value)) => array.push(value),
                Ok(None) => return Ok(Value::Array(array)),
                Err(error) => {
                    self.found_below(&array.len().to_string());
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                self.found_below(&key);
                return Err(de::Error::custom("this key comes twice"));
            }
            match members.next_value_seed(self.inner()) {
                Ok(value) => object.insert(key, value),
                Err(error) => {
                    self.found_below(&key);
                    return Err(error);
                }
            };
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_everybody_reads_alike_is_read() {
        let text = r#"{"a": [1, -2, 0.5, 1e3, true, null, "\u00e4"], "b": {"a": {}}}"#;
        let read = parse(text).unwrap();
        assert_eq!(
            read,
            json!({"a": [1, -2, 0.5, 1e3, true, null, "ä"], "b": {"a": {}}})
        );
    }

    #[test]
    fn what_readers_differ_about_is_refused_with_its_place() {
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        let large = format!("{{\"n\": 1{}}}", "0".repeat(400));
        let many = format!("[{}1]", "1,".repeat(MOST_VALUES));
        let cases = [
            (r#"{"a": 1, "a": 2}"#, "at `/a`: this key comes twice"),
            (
                r#"{"to": [{"x": 1, "x": 1}]}"#,
                "at `/to/0/x`: this key comes twice",
            ),
            (large.as_str(), "at `/n`: number out of range"),
            (r#"{"n": 1e17}"#, "at `/n`: a number too large"),
            (r#"{"n": NaN}"#, "at `/n`: expected value"),
            (deep.as_str(), "nested deeper than 32 levels"),
            (many.as_str(), "more than 10000 values"),
            ("{} {}", "trailing characters"),
        ];
        for (text, told) in cases {
            let refused = parse(text).unwrap_err();
            let shown: String = text.chars().take(40).collect();
            assert!(refused.contains(told), "{shown}: {refused}");
        }
    }
}
