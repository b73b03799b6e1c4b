//! The harness itself: people on a real server hear what others say, when they say it.

use std::time::Duration;

use tests::{
    livekit_server::{LivekitServer, Pass},
    user::User,
};

use crate::story::SOON;

#[tokio::test(flavor = "multi_thread")]
async fn what_one_participant_says_another_one_hears_at_that_moment() {
    let livekit = LivekitServer::start().await;
    let ann = User::join(&livekit.url(), &Pass::of("ann", "kitchen")).await;
    let pass = Pass {
        kind: "agent",
        ..Pass::of("speaker", "kitchen")
    };
    let speaker = User::join(&livekit.url(), &pass).await;
    assert_eq!(ann.meets_agent(SOON).await, "speaker");
    let heard_at_all = ann.hears_silence(Duration::from_millis(100), SOON).await;

    let said = speaker.say("caller-train").await;
    let heard = ann.hears("caller-train", heard_at_all, SOON).await;
    assert!(
        heard.started >= said.started - Duration::from_millis(50),
        "heard before it was said"
    );
    let others: Vec<_> = ann
        .transcript_of(said.started)
        .iter()
        .map(|s| s.name)
        .collect();
    assert_eq!(others, ["caller-train"]);
}
