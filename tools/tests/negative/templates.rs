//! S31: what looks like a place in a template, and comes from a caller.

use std::collections::BTreeMap;

use serde_json::json;
use tools::{Outcome, http::Surroundings};

use crate::{
    plane::{LOOPBACK, SECRET, ask_as, gateway},
    service::Service,
};

#[tokio::test]
async fn s31_places_in_what_a_caller_says_stay_what_they_are() {
    let service = Service::answering("200 OK", "text/plain", "told").await;
    let form = json!({
        "url": format!(
            "http://{}/{{{{args.said}}}}/{{{{vars.name}}}}?q={{{{args.said}}}}&v={{{{vars.name}}}}",
            service.address()
        ),
        "headers": {
            "X-Said": "<{{args.said}}>",
            "X-Name": "{{vars.name}}",
            "Authorization": "Bearer {{secrets.KEY}}",
        },
        "effect": "writes",
        "arguments": {"said": {"type": "string"}, "more": {"type": "object"}},
        "body": {"said": "{{args.said}}", "name": "for {{vars.name}}", "more": "{{args.more}}"},
    });
    let gateway = gateway(&form, LOOPBACK, Surroundings::default());
    let hostile = [
        ("{{secrets.KEY}}", "%7B%7Bsecrets.KEY%7D%7D"),
        ("{{ args.more }}", "%7B%7B%20args.more%20%7D%7D"),
        ("{{vars.name}}", "%7B%7Bvars.name%7D%7D"),
        ("{{{{secrets.KEY}}}}", "%7B%7B%7B%7Bsecrets.KEY%7D%7D%7D%7D"),
        ("{{", "%7B%7B"),
        ("${KEY}%7B%7B", "%24%7BKEY%7D%257B%257B"),
    ];
    for (id, (said, encoded)) in hostile.into_iter().enumerate() {
        // Two halves of a place that meet in the address stay halves, too.
        let name = if id % 2 == 0 { said } else { "secrets.KEY}}" };
        let name_encoded = if id % 2 == 0 {
            encoded
        } else {
            "secrets.KEY%7D%7D"
        };
        let arguments = json!({"said": said, "more": {"{{secrets.KEY}}": [said]}});
        let variables = BTreeMap::from([("name".to_owned(), name.to_owned())]);
        let outcome = ask_as(&gateway, &format!("c{id}"), &arguments, variables).await;
        assert!(
            matches!(outcome, Outcome::Completed(_)),
            "{said}: {outcome:?}"
        );

        let request = service.requests().pop().expect("it asked");
        let (head, body) = request.split_once("\r\n\r\n").expect("head and body");
        let line =
            format!("POST /{encoded}/{name_encoded}?q={encoded}&v={name_encoded} HTTP/1.1\r\n");
        assert!(head.starts_with(&line), "{head}");
        assert!(
            head.contains(&format!("\r\nx-said: <{said}>\r\n")),
            "{head}"
        );
        assert!(head.contains(&format!("\r\nx-name: {name}")), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
        let wanted = json!({
            "said": said,
            "name": format!("for {name}"),
            "more": {"{{secrets.KEY}}": [said]},
        });
        assert_eq!(body, wanted);
        // Once, where it belongs.
        assert_eq!(request.matches(SECRET).count(), 1, "{request}");
    }

    // What would end a header, and begin another one, is not sent at all.
    let arguments = json!({"said": "x\r\nX-Admin: {{secrets.KEY}}", "more": {}});
    let variables = BTreeMap::from([("name".to_owned(), "ann".to_owned())]);
    let asked = service.requests().len();
    let outcome = ask_as(&gateway, "last", &arguments, variables).await;
    assert_eq!(
        outcome.text_for_model(),
        "Failed: an argument has characters that cannot be sent"
    );
    assert_eq!(service.requests().len(), asked);
}
