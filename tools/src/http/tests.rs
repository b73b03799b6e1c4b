//! Whatever a service answers is an answer or a failure that the model can be told.

use std::panic::AssertUnwindSafe;

use secrecy::SecretString;
use serde_json::json;

use super::*;

const SLOTS: &[u8] = br#"{"slots": [{"at": "9:00", "free": true}, {"at": "10:30"}], "more": null}"#;

fn tool(effect: &str, take: Option<&str>) -> HttpTool {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let form = json!({
        "name": "slots",
        "description": "Tells free times.",
        "url": "https://practice.example.com/slots",
        "effect": effect,
        "take": take,
    });
    let form: HttpToolForm = serde_json::from_value(form).unwrap();
    let client = Client::new(Networks::default()).unwrap();
    let secrets = Secrets::from([("KEY".to_owned(), SecretString::from("s3cr3t"))]);
    HttpTool::new(&form, &client, &secrets).unwrap()
}

#[test]
fn any_reply_is_an_answer_or_a_failure() {
    // Reading an answer changes nothing in a tool.
    let tools = AssertUnwindSafe([
        tool("reads", None),
        tool("reads", Some("/slots/0/at")),
        tool("writes", None),
    ]);
    let replies = bolero::check!().with_type::<(u16, bool, Option<u64>, Vec<u8>)>();
    replies.for_each(|(status, is_json, retry_after, change)| {
        let mut body = SLOTS.to_vec();
        for change in change.chunks_exact(2) {
            let at = usize::from(change[0]) % body.len();
            body[at] = change[1];
        }
        body.extend_from_slice(change);
        let status = StatusCode::from_u16(100 + status % 900).unwrap();
        let response = Response {
            status,
            is_json: *is_json,
            retry_after: *retry_after,
            body,
        };
        for tool in tools.iter() {
            match tool.answer(&response) {
                Ok(_) => assert!(status.is_success()),
                Err(error) => {
                    let told = error.text.chars();
                    assert!(
                        told.clone().count() < LONGEST_REASON + 100,
                        "{}",
                        error.text
                    );
                    assert!(!told.clone().any(char::is_control), "{}", error.text);
                    let writes = tool.spec.effect == Effect::Writes;
                    let is_refusal = status.is_client_error();
                    assert_eq!(error.is_unsure, writes && !is_refusal, "{status}");
                }
            }
        }
    });
}
