//! People show the agent still pictures.

use std::time::Duration;

use serde_json::Value;
use tests::{
    eventually::{eventually, expect},
    sim_model::Side,
    stack::Stack,
};

use crate::story::{LATER, SOON, greeted, says};

/// What begins like a JPEG, and is long enough to need many pieces on the way.
fn photograph() -> Vec<u8> {
    let mut file = vec![0xff, 0xd8, 0xff, 0xe0];
    file.extend((0..200_000_u32).map(|n| (n % 251) as u8));
    file
}

/// The pictures that one connection of the model was shown, as data URLs.
fn shown(stack: &Stack, connection: u64) -> Vec<String> {
    let items = stack.model.events(Side::Client, "conversation.item.create");
    let parts = items
        .iter()
        .filter(|event| event.connection == connection)
        .filter_map(|event| event.event["item"]["content"].as_array())
        .flatten();
    let urls = parts.filter_map(|part| part["image_url"].as_str());
    urls.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_reaches_the_model_whole_and_again_after_a_loss() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    ann.shows(b"GIF89a, which the model does not know", "image/gif")
        .await;
    says(
        &stack,
        &["a picture that was sent cannot be shown", "JPEG"],
        SOON,
    )
    .await;
    ann.shows(&vec![0xff; 400_000], "image/jpeg").await;
    says(
        &stack,
        &["a picture that was sent cannot be shown", "too long"],
        SOON,
    )
    .await;

    let photograph = photograph();
    ann.shows(&photograph, "image/jpeg").await;
    eventually("the model sees it", SOON, || {
        let seen = shown(&stack, 1).len();
        expect(seen == 1, format!("{seen}"))
    })
    .await;
    let url = shown(&stack, 1).remove(0);
    let base64 = url.strip_prefix("data:image/jpeg;base64,").expect("a JPEG");
    use base64::Engine as _;
    let seen = base64::engine::general_purpose::STANDARD.decode(base64);
    assert!(
        seen.expect("base64") == photograph,
        "it came as it was sent"
    );

    // Nobody has asked anything yet; who speaks now is answered.
    ann.play(&tests::voice::silence(Duration::from_secs(1)))
        .await;
    let asked = stack.model.events(Side::Client, "response.create");
    assert_eq!(asked.len(), 1, "the greeting alone");
    let said = ann.say("caller-name").await;
    ann.hears("agent-name", said.ended, SOON).await;

    stack.model.drop_links();
    eventually("the next connection sees it", LATER, || {
        let seen = shown(&stack, 2);
        expect(seen == [url.as_str()], format!("{}", seen.len()))
    })
    .await;
    let errors = stack.model.events(Side::Server, "error");
    let codes: Vec<&Value> = errors.iter().map(|error| &error.event["error"]).collect();
    assert!(codes.is_empty(), "{codes:?}");
}
