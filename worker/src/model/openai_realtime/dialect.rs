//! Core: where the variations of the protocol differ: address and authentication.
//!
//! OpenAI's own endpoint and Azure's GA endpoint speak the same events (Azure: "Use the GPT Realtime
//! API via WebSockets"); Azure names a deployment instead of a model and takes the key in a header
//! of its own. It opens nothing.

use url::Url;

use crate::{config::Secret, model::config::Dialect};

/// The address of one connection: the model is named in the query, whatever stood there before.
pub(super) fn address(base: &Url, model: &str) -> Url {
    let kept: Vec<(String, String)> = base
        .query_pairs()
        .filter(|(name, _)| name != "model")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let mut url = base.clone();
    url.query_pairs_mut()
        .clear()
        .append_pair("model", model)
        .extend_pairs(kept);
    url
}

/// Name and value of the header that carries the key.
pub(super) fn authentication(dialect: Dialect, key: &Secret) -> (&'static str, Secret) {
    match dialect {
        Dialect::Azure => ("api-key", key.clone()),
        Dialect::Openai => (
            "authorization",
            Secret::new(format!("Bearer {}", key.expose())),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_named_once_and_other_queries_stay() {
        let base = Url::parse("wss://gateway.test/v1/realtime?model=old&team=a%20b").unwrap();
        assert_eq!(
            address(&base, "gpt realtime&x").as_str(),
            "wss://gateway.test/v1/realtime?model=gpt+realtime%26x&team=a+b"
        );
        let plain = Url::parse("wss://api.openai.com/v1/realtime").unwrap();
        assert_eq!(
            address(&plain, "gpt-realtime-2.1").as_str(),
            "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
        );
    }

    #[test]
    fn each_dialect_has_its_own_header() {
        let key = Secret::new("k");
        let (name, value) = authentication(Dialect::Openai, &key);
        assert_eq!((name, value.expose()), ("authorization", "Bearer k"));
        let (name, value) = authentication(Dialect::Azure, &key);
        assert_eq!((name, value.expose()), ("api-key", "k"));
    }
}
