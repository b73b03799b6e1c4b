//! A conversation of many turns moves to a fresh connection, and nobody notices.

use tests::{clips, ears, eventually::eventually, sim_model::Side, stack::Stack};

use crate::story::{QUIET, SOON, greeted, says};

#[tokio::test(flavor = "multi_thread")]
async fn after_some_turns_a_fresh_connection_takes_over_in_a_silence() {
    let stack = Stack::with(Default::default(), |settings| {
        settings.with("ROOM_AGENT__MODEL__ROTATION__TURNS", "2")
    })
    .await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let began = ann.recording().started;
    for (turn, clip) in ["caller-train", "caller-apples", "caller-mountains"]
        .iter()
        .enumerate()
    {
        let said = ann.say(clip).await;
        ann.hears(clip, said.ended, SOON).await;
        ann.hears_silence(QUIET, SOON).await;
        if turn == 1 {
            eventually("a second connection serves", SOON, || {
                match stack.model.connections() {
                    2 => Ok(()),
                    other => Err(format!("{other} connections")),
                }
            })
            .await;
            says(&stack, &["model link rotated"], SOON).await;
        }
    }
    // One greeting, and no word of a turn was lost or said twice.
    let heard = ann.recording().since(began);
    let all = ears::transcribe(&heard.pcm, clips::of_agent().chain(clips::of_callers()));
    let count = |name: &str| all.iter().filter(|heard| heard.name == name).count();
    assert_eq!(count("agent-greeting"), 1, "{all:?}");
    assert_eq!(count("agent-you-said"), 3, "{all:?}");
    // The fresh model was told what was said before anybody spoke to it.
    let items = stack.model.events(Side::Client, "conversation.item.create");
    let told = |words: &str| {
        items
            .iter()
            .any(|item| item.event.to_string().contains(words))
    };
    assert!(told(clips::clip("caller-train").words), "{items:?}");
    let errors = stack.model.events(Side::Server, "error");
    assert!(errors.is_empty(), "{errors:?}");
}
