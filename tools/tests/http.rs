//! HTTP tools against a service that misbehaves on request.

mod request;
mod service;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use secrecy::SecretString;
use serde_json::json;
use tools::{
    Context, Facts, Gateway, Outcome, Registry, Tool, ToolCall,
    http::{Client, HttpTool, HttpToolForm, Networks, Secrets},
};

use service::Service;

const LOOPBACK: &[&str] = &["127.0.0.0/8"];

fn tool(form: serde_json::Value, networks: &[&str]) -> HttpTool {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut whole = json!({"name": "ask", "description": "Asks."});
    whole
        .as_object_mut()
        .expect("a good one")
        .append(&mut form.as_object().expect("a good one").clone());
    let form: HttpToolForm = serde_json::from_value(whole).expect("a good one");
    let client = Client::new(Networks::read(networks).expect("a good one")).expect("a good one");
    let secrets = Secrets::from([("KEY".to_owned(), SecretString::from("s3cr3t"))]);
    HttpTool::new(&form, &client, &secrets).expect("a good one")
}

/// How one call of this tool ends.
async fn outcome(form: serde_json::Value, networks: &[&str], arguments: &str) -> Outcome {
    let gateway = Gateway::new(
        Registry::build([Arc::new(tool(form, networks)) as Arc<dyn Tool>]).expect("a good one"),
    );
    let context = Context {
        facts: Facts {
            variables: BTreeMap::from([("tenant".to_owned(), "north".to_owned())]),
            ..Facts::default()
        },
        session: "job".into(),
        ..Context::default()
    };
    gateway
        .invoke(&ToolCall::new("c", "ask", arguments), &context)
        .await
}

#[tokio::test]
async fn a_request_is_filled_in_and_its_answer_told() {
    let service = Service::answering(
        "200 OK",
        "application/json",
        r#"{"slots": ["9:00"], "more": 1}"#,
    )
    .await;
    let form = json!({
        "url": format!("http://{}/{{{{vars.tenant}}}}/slots?day={{{{args.day}}}}", service.address()),
        "headers": {"Authorization": "Bearer {{secrets.KEY}}"},
        "arguments": {"day": {"type": "string"}},
        "take": "/slots",
    });
    let told = outcome(form, LOOPBACK, r#"{"day": "mon&day"}"#)
        .await
        .text_for_model();
    assert_eq!(told, r#"["9:00"]"#);
    let request = service.requests().remove(0);
    assert!(
        request.starts_with("GET /north/slots?day=mon%26day HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request
            .to_lowercase()
            .contains("authorization: bearer s3cr3t\r\n"),
        "{request}"
    );
    assert!(
        !request.to_lowercase().contains("accept-encoding"),
        "nothing that could be a bomb"
    );
}

#[tokio::test]
async fn a_write_carries_its_arguments_and_a_key() {
    let service = Service::answering("201 Created", "application/json", "{}").await;
    let form = json!({
        "url": format!("http://{}/orders", service.address()),
        "effect": "writes",
        "arguments": {"count": {"type": "integer"}},
    });
    outcome(form, LOOPBACK, r#"{"count": 2}"#).await;
    let request = service.requests().remove(0);
    assert!(request.starts_with("POST /orders "), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"count\":2}"), "{request}");
    let key = Context {
        session: "job".into(),
        ..Context::default()
    }
    .idempotency_key(&ToolCall::new("c", "", "").id);
    assert!(
        request.contains(&format!("idempotency-key: {key}\r\n")),
        "{request}"
    );
}

#[tokio::test]
async fn errors_are_words_that_the_model_can_act_on() {
    for (status, body, told) in [
        (
            "404 Not Found",
            "no such day",
            "Failed: the service answered 404: no such day",
        ),
        (
            "302 Found\r\nLocation: http://169.254.169.254/",
            "",
            "Failed: the service points somewhere else",
        ),
        (
            "429 Too Many Requests\r\nRetry-After: 7",
            "",
            "Failed: the service answered 429; try again in 7 seconds",
        ),
    ] {
        let service = Service::answering(status, "text/plain", body).await;
        let form = json!({"url": format!("http://{}/", service.address())});
        let text = outcome(form, LOOPBACK, "{}").await.text_for_model();
        assert!(text.starts_with(told), "{text}");
        assert_eq!(service.requests().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_write_that_was_done_and_not_understood_is_unknown() {
    let good = Service::answering("200 OK", "application/json", "{}").await;
    let garbled = Service::answering("200 OK", "application/json", "{").await;
    let moved = Service::answering("303 See Other\r\nLocation: /done", "text/plain", "").await;
    let endless = Service::endless().await;
    for service in [good, garbled, moved, endless] {
        for (effect, is_unknown) in [("writes", true), ("reads", false)] {
            let form = json!({
                "url": format!("http://{}/", service.address()),
                "effect": effect,
                "take": "/id",
            });
            let outcome = outcome(form, LOOPBACK, "{}").await;
            assert_eq!(
                matches!(outcome, Outcome::Unknown(_)),
                is_unknown,
                "{effect}: {outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_service_that_says_nothing_is_left_at_the_deadline() {
    let service = Service::silent().await;
    let form = json!({"url": format!("http://{}/", service.address()), "deadline_seconds": 1});
    let outcome = outcome(form, LOOPBACK, "{}").await;
    assert_eq!(
        outcome,
        Outcome::TimedOut {
            limit: Duration::from_secs(1)
        }
    );
}

#[tokio::test]
async fn a_read_that_breaks_is_sent_again_and_a_write_is_unknown() {
    for (effect, idempotent, requests) in [
        ("reads", false, 2),
        ("writes", false, 1),
        ("writes", true, 2),
    ] {
        let service = Service::breaking().await;
        let form = json!({
            "url": format!("http://{}/", service.address()),
            "effect": effect,
            "idempotent": idempotent,
        });
        let outcome = outcome(form, LOOPBACK, "{}").await;
        assert_eq!(service.requests().len(), requests, "{effect} {idempotent}");
        assert_eq!(
            matches!(outcome, Outcome::Unknown(_)),
            effect == "writes",
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn tools_of_one_service_rest_together_when_it_hangs() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let service = Service::silent().await;
    let client = Client::new(Networks::read(LOOPBACK).expect("a good one")).expect("a good one");
    let tool = |name: &str| {
        let form: HttpToolForm = serde_json::from_value(json!({
            "name": name,
            "description": "Asks.",
            "url": format!("http://{}/{name}", service.address()),
            "deadline_seconds": 1,
        }))
        .expect("a good one");
        let tool = HttpTool::new(&form, &client, &Secrets::new()).expect("a good one");
        Arc::new(tool) as Arc<dyn Tool>
    };
    let gateway = Gateway::new(Registry::build([tool("one"), tool("two")]).expect("a good one"));
    let ask = async |gateway: Gateway, id: usize, name: &str| {
        let call = ToolCall::new(&format!("c{id}"), name, "{}");
        gateway.invoke(&call, &Context::default()).await
    };
    let mut hanging = tokio::task::JoinSet::new();
    for id in 0..5 {
        hanging.spawn(ask(gateway.clone(), id, "one"));
    }
    for outcome in hanging.join_all().await {
        assert!(matches!(outcome, Outcome::TimedOut { .. }), "{outcome:?}");
    }
    let told = ask(gateway, 9, "two").await.text_for_model();
    assert!(told.contains("down at the moment"), "{told}");
}
