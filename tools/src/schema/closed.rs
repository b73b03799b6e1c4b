//! Core: a schema whose objects have the members they list and no others.
//!
//! Authors of schemas rarely say `additionalProperties: false`, and models invent members. Where schemas
//! are merged (`allOf`, a reference beside `properties`) each of them sees the others' members, so those
//! are left as they are. JSON Schema 2020-12, core, section 10.3.2.3.

use serde_json::{Map, Value};

/// Keywords that hold schemas by name.
const NAMED: [&str; 3] = ["properties", "$defs", "definitions"];
/// Keywords that hold one schema, or a list of them.
const NESTED: [&str; 5] = [
    "items",
    "prefixItems",
    "additionalProperties",
    "anyOf",
    "oneOf",
];
/// What says by itself which other members there may be, or brings members from elsewhere.
const OPENERS: [&str; 8] = [
    "additionalProperties",
    "unevaluatedProperties",
    "patternProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "$ref",
];

/// The schema, closed.
pub(super) fn closed(schema: &Value) -> Value {
    let Value::Object(keywords) = schema else {
        return schema.clone();
    };
    if merges(keywords) {
        return schema.clone();
    }
    let close = |(key, value): (&String, &Value)| {
        let value = match value {
            Value::Object(named) if NAMED.contains(&key.as_str()) => {
                let named = named.iter();
                Value::Object(
                    named
                        .map(|(name, one)| (name.clone(), closed(one)))
                        .collect(),
                )
            }
            Value::Array(list) if NESTED.contains(&key.as_str()) => {
                list.iter().map(closed).collect()
            }
            one if NESTED.contains(&key.as_str()) => closed(one),
            other => other.clone(),
        };
        (key.clone(), value)
    };
    let mut all: Map<String, Value> = keywords.iter().map(close).collect();
    let is_open = OPENERS.iter().any(|key| all.contains_key(*key));
    if all.contains_key("properties") && !is_open {
        all.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    Value::Object(all)
}

/// Somewhere in it several schemas speak about the members of one object.
fn merges(keywords: &Map<String, Value>) -> bool {
    let has = |key: &str| keywords.contains_key(key);
    let here =
        has("allOf") || has("properties") && ["$ref", "anyOf", "oneOf", "if"].into_iter().any(has);
    here || keywords.values().any(|value| match value {
        Value::Object(inner) => merges(inner),
        Value::Array(list) => list.iter().filter_map(Value::as_object).any(merges),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_that_nobody_listed_are_ruled_out_at_every_depth() {
        let schema = json!({
            "type": "object",
            "properties": {
                "to": {"type": "object", "properties": {"city": {"type": "string"}}},
                "stops": {"items": {"type": "object", "properties": {"name": {}}}},
                "properties": {"type": "string"},
            },
        });
        assert_eq!(
            closed(&schema),
            json!({
                "type": "object",
                "properties": {
                    "to": {
                        "type": "object",
                        "properties": {"city": {"type": "string"}},
                        "additionalProperties": false,
                    },
                    "stops": {
                        "items": {
                            "type": "object",
                            "properties": {"name": {}},
                            "additionalProperties": false,
                        },
                    },
                    "properties": {"type": "string"},
                },
                "additionalProperties": false,
            })
        );
    }

    #[test]
    fn who_says_otherwise_or_merges_is_left_alone() {
        let cases = [
            json!({"properties": {"a": {}}, "additionalProperties": true}),
            json!({"properties": {"a": {}}, "patternProperties": {"^x": {}}}),
            json!({"properties": {"a": {}}, "allOf": [{"properties": {"b": {}}}]}),
            json!({"type": "object"}),
        ];
        for schema in cases {
            assert_eq!(closed(&schema), schema);
        }
    }
}
