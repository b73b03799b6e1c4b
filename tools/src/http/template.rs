//! Core: texts with places, filled in so that a value can never become syntax.
//!
//! `{{args.NAME}}` stands for an argument of the call, `{{vars.NAME}}` for a variable of the job and
//! `{{secrets.NAME}}` for a secret of the worker. What is filled in is never read as a template again. In a
//! path or a query it is percent-encoded (RFC 3986, section 2.1), in a JSON body it stays one value.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::Secrets;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum From {
    Args,
    Vars,
    Secrets,
}

/// One place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) from: From,
    pub(super) name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(Place),
}

/// A text with places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

/// What places are filled with.
pub(super) struct Values<'a> {
    pub(super) arguments: &'a Map<String, Value>,
    pub(super) variables: &'a BTreeMap<String, String>,
    pub(super) secrets: &'a dyn Fn(&str) -> Option<String>,
}

impl Values<'_> {
    /// `None` = there is none; an optional argument, for example.
    fn of(&self, place: &Place) -> Option<Value> {
        match place.from {
            From::Args => self.arguments.get(&place.name).cloned(),
            From::Vars => self.variables.get(&place.name).cloned().map(Value::from),
            From::Secrets => (self.secrets)(&place.name).map(Value::from),
        }
    }
}

impl Template {
    /// Reads a text.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{") {
            if start > 0 {
                parts.push(Part::Text(rest[..start].to_owned()));
            }
            let Some(length) = rest[start..].find("}}") else {
                return Err("`{{` without `}}`".to_owned());
            };
            parts.push(Part::Place(place(&rest[start + 2..start + length])?));
            rest = &rest[start + length + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        self.0.iter().filter_map(|part| match part {
            Part::Place(place) => Some(place),
            Part::Text(_) => None,
        })
    }

    /// With values as they are; for headers. `None` = one is missing.
    pub(super) fn plain(&self, values: &Values<'_>) -> Option<String> {
        self.fill(values, |text| text)
    }

    /// With values as parts of a path or a query. `None` = one is missing, or would lead elsewhere.
    pub(super) fn encoded(&self, values: &Values<'_>) -> Option<String> {
        let is_elsewhere = |text: &String| text == "." || text == "..";
        let filled = self
            .places()
            .filter_map(|place| values.of(place))
            .map(plain);
        if filled.into_iter().any(|text| is_elsewhere(&text)) {
            return None;
        }
        self.fill(values, |text| percent_encoded(&text))
    }

    /// As a JSON value: a place alone keeps its type, among other words it is text.
    fn value(&self, values: &Values<'_>) -> Option<Value> {
        match self.0.as_slice() {
            [Part::Place(place)] => values.of(place),
            _ => self.plain(values).map(Value::from),
        }
    }

    fn fill(&self, values: &Values<'_>, write: impl Fn(String) -> String) -> Option<String> {
        let part = |part: &Part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Place(place) => values.of(place).map(|value| write(plain(value))),
        };
        self.0.iter().map(part).collect()
    }
}

/// Whether every secret that a template names is there.
pub(super) fn have_secrets(template: &Template, secrets: &Secrets) -> Result<(), String> {
    let mut wanted = template
        .places()
        .filter(|place| place.from == From::Secrets);
    match wanted.find(|place| !secrets.contains_key(&place.name)) {
        None => Ok(()),
        Some(Place { name, .. }) => Err(format!(
            "there is no secret `{name}`: set the environment variable ROOM_AGENT_SECRET_{name}"
        )),
    }
}

/// A text in which nothing but secrets has places, filled in.
pub(crate) fn with_secrets(text: &str, secrets: &Secrets) -> Result<String, String> {
    let template = Template::read(text)?;
    have_secrets(&template, secrets)?;
    let secret = |name: &str| secrets.get(name).map(|one| one.expose_secret().to_owned());
    let values = Values {
        arguments: &Map::new(),
        variables: &BTreeMap::new(),
        secrets: &secret,
    };
    let filled = template.plain(&values);
    filled.ok_or_else(|| "only `{{secrets.NAME}}` can stand here".to_owned())
}

fn place(text: &str) -> Result<Place, String> {
    let unknown = || {
        let shown: String = text.trim().chars().take(40).collect();
        format!("`{{{{{shown}}}}}` is not `args.NAME`, `vars.NAME` or `secrets.NAME`")
    };
    let (from, name) = text.trim().split_once('.').ok_or_else(unknown)?;
    let from = match from {
        "args" => From::Args,
        "vars" => From::Vars,
        "secrets" => From::Secrets,
        _ => return Err(unknown()),
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || !name.bytes().all(fits) {
        return Err(unknown());
    }
    Ok(Place {
        from,
        name: name.to_owned(),
    })
}

fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Everything but the unreserved characters of RFC 3986, section 2.3.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A JSON body with places in its texts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Fixed(Value),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
    Text(Template),
}

impl Body {
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::Text(Template::read(text)?),
            Value::Array(list) => {
                Self::List(list.iter().map(Self::read).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let read = |(key, value): (&String, &Value)| Ok((key.clone(), Self::read(value)?));
                Self::Object(members.iter().map(read).collect::<Result<_, String>>()?)
            }
            other => Self::Fixed(other.clone()),
        })
    }

    pub(super) fn places(&self) -> Vec<&Place> {
        match self {
            Self::Fixed(_) => Vec::new(),
            Self::List(list) => list.iter().flat_map(Self::places).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, one)| one.places()).collect(),
            Self::Text(text) => text.places().collect(),
        }
    }

    /// Members and entries whose value is missing are left out.
    pub(super) fn fill(&self, values: &Values<'_>) -> Option<Value> {
        match self {
            Self::Fixed(value) => Some(value.clone()),
            Self::List(list) => Some(list.iter().filter_map(|one| one.fill(values)).collect()),
            Self::Object(members) => {
                let filled = members.iter();
                let filled = filled.filter_map(|(key, one)| Some((key.clone(), one.fill(values)?)));
                Some(Value::Object(filled.collect()))
            }
            Self::Text(text) => text.value(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arguments(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn filled(text: &str, args: Value) -> Option<String> {
        let arguments = arguments(args);
        let values = Values {
            arguments: &arguments,
            variables: &[("city".to_owned(), "São Paulo".to_owned())].into(),
            secrets: &|_| None,
        };
        Template::read(text).unwrap().encoded(&values)
    }

    #[test]
    fn a_value_never_becomes_syntax() {
        let hostile = [
            ("a/../b", "/x/a%2F..%2Fb"),
            ("1?admin=1#", "/x/1%3Fadmin%3D1%23"),
            ("{{secrets.KEY}}", "/x/%7B%7Bsecrets.KEY%7D%7D"),
            ("a\r\nHost: b", "/x/a%0D%0AHost%3A%20b"),
            ("@evil.test", "/x/%40evil.test"),
        ];
        for (value, path) in hostile {
            assert_eq!(
                filled("/x/{{args.id}}", json!({ "id": value })).unwrap(),
                path
            );
        }
        for elsewhere in [".", ".."] {
            assert_eq!(filled("/x/{{args.id}}", json!({ "id": elsewhere })), None);
        }
        assert_eq!(filled("/x/{{args.id}}", json!({})), None);
        assert_eq!(
            filled("/{{vars.city}}/{{ args.n }}", json!({"n": 7})).unwrap(),
            "/S%C3%A3o%20Paulo/7"
        );
    }

    #[test]
    fn a_body_keeps_types_and_leaves_out_what_is_missing() {
        let body = json!({
            "slot": "{{args.slot}}",
            "count": "{{args.count}}",
            "note": "for {{args.name}}, {{args.count}}",
            "missing": "{{args.nothing}}",
            "list": ["{{args.count}}", true],
        });
        let arguments = arguments(json!({"slot": {"a": 1}, "count": 2, "name": "\"Ann\""}));
        let values = Values {
            arguments: &arguments,
            variables: &BTreeMap::new(),
            secrets: &|_| None,
        };
        assert_eq!(
            Body::read(&body).unwrap().fill(&values).unwrap(),
            json!({"slot": {"a": 1}, "count": 2, "note": "for \"Ann\", 2", "list": [2, true]})
        );
    }

    #[test]
    fn mistakes_are_told() {
        for (text, told) in [
            ("a {{args.x", "`{{` without `}}`"),
            ("{{x}}", "`{{x}}` is not `args.NAME`"),
            ("{{caller.name}}", "is not `args.NAME`"),
            ("{{args.}}", "is not `args.NAME`"),
        ] {
            let problem = Template::read(text).unwrap_err();
            assert!(problem.contains(told), "{problem}");
        }
    }
}
