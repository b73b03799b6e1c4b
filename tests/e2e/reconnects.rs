//! The model is away, or refuses us.

use std::time::{Duration, Instant};

use tests::{
    eventually::{eventually, eventually_async, expect},
    faults::Wire,
    livekit_server::LivekitServer,
    sim_model::{Fault, Handshake, Script, Side},
    stack::{Stack, simulated_model},
    voice::silence,
    worker::MODEL_KEY,
};

use crate::story::{LATER, SOON, greeted, job_over};

#[tokio::test(flavor = "multi_thread")]
async fn a_model_link_that_breaks_mid_sentence_is_replaced_and_the_call_goes_on() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    stack.model.arm(Fault::DropLink(6));
    let asked = ann.say("caller-count").await;
    ann.hears("agent-one", asked.ended, SOON).await;
    eventually("a second connection is up", LATER, || {
        let updates = stack.model.events(Side::Client, "session.update");
        match updates.iter().any(|update| update.connection == 2) {
            true => Ok(()),
            false => Err(format!("{} connections", stack.model.connections())),
        }
    })
    .await;
    ann.sees_state("listening", LATER).await;
    let said = ann.say("caller-train").await;
    let answer = ann.hears("agent-you-said", said.ended, LATER).await;
    ann.hears("caller-train", answer.ended, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentence_in_which_the_model_link_breaks_is_heard_whole() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let cut = async {
        eventually("the model hears her", SOON, || {
            let heard = stack
                .model
                .events(Side::Server, "input_audio_buffer.speech_started");
            expect(!heard.is_empty(), "nothing is heard".to_owned())
        })
        .await;
        stack.model.drop_links();
    };
    let (said, ()) = tokio::join!(ann.say("caller-mountains"), cut);
    let answer = ann.hears("agent-you-said", said.ended, LATER).await;
    ann.hears("caller-mountains", answer.ended, SOON).await;
    let turns = stack
        .model
        .events(Side::Server, "input_audio_buffer.committed");
    assert_eq!(turns.len(), 1, "one sentence is one turn: {turns:?}");
    assert_eq!(turns[0].connection, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_whose_words_nobody_knows_yet_is_heard_again_when_the_link_breaks() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    stack.model.script(|script| {
        script.reply_after = LATER;
        script.transcribe_after = LATER;
    });
    let said = ann.say("caller-mountains").await;
    eventually("her words are a turn", SOON, || {
        let turns = stack
            .model
            .events(Side::Server, "input_audio_buffer.committed");
        expect(!turns.is_empty(), "no turn yet".to_owned())
    })
    .await;
    stack.model.script(|script| *script = Script::default());
    stack.model.drop_links();
    let answer = ann.hears("agent-you-said", said.ended, LATER).await;
    ann.hears("caller-mountains", answer.ended, SOON).await;
    let turns = stack
        .model
        .events(Side::Server, "input_audio_buffer.committed");
    let connections: Vec<_> = turns.iter().map(|turn| turn.connection).collect();
    assert_eq!(connections, [1, 2], "the same sentence, told twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_while_the_model_is_away_is_asked_for_a_moment_and_answered_later() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    stack
        .model
        .script(|script| script.handshake = Handshake::Refuse(503));
    stack.model.drop_links();
    let said = ann.say("caller-mountains").await;
    let clip = ann.hears("worker-one-moment", said.ended, SOON).await;
    stack
        .model
        .script(|script| script.handshake = Handshake::Accept);
    let answer = ann.hears("agent-you-said", clip.ended, LATER).await;
    ann.hears("caller-mountains", answer.ended, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_down_at_the_start_is_waited_for() {
    let script = Script {
        handshake: Handshake::Refuse(503),
        ..Script::default()
    };
    let stack = Stack::with(script, |settings| settings).await;
    let joining = Instant::now();
    let ann = stack.caller("ann", "kitchen").await;
    eventually("the model was tried", LATER, || {
        match stack.model.refusals() {
            0 => Err("not yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    stack
        .model
        .script(|script| script.handshake = Handshake::Accept);
    ann.hears("agent-greeting", joining, LATER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_fails_the_job_and_stops_new_ones_until_a_probe_succeeds() {
    let script = Script {
        refused_keys: vec![MODEL_KEY.to_owned()],
        ..Script::default()
    };
    let stack = Stack::with(script, |settings| settings).await;
    let joining = Instant::now();
    let ann = stack.caller("ann", "kitchen").await;
    ann.hears("worker-failure", joining, SOON).await;
    let end = job_over(&stack.livekit, "kitchen").await;
    assert!(end.failed, "{}", end.line);
    assert!(end.line.contains("model"), "{}", end.line);
    // The worker is well and stays registered; it only says that it is full, so nothing is offered.
    eventually("the worker knows", SOON, || {
        stack.worker.log().expect(&["no new jobs until a probe"])
    })
    .await;
    let bob = stack.caller("bob", "garden").await;
    eventually_async("bob's room has its dispatch", SOON, || async {
        let dispatches = stack.livekit.dispatches().list_dispatch("garden").await;
        match dispatches.map_err(|error| error.to_string())?.len() {
            0 => Err("no dispatch yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;

    stack.model.script(|script| script.refused_keys.clear());
    eventually("a probe succeeds", LATER, || {
        stack.worker.log().expect(&["accepts our key again"])
    })
    .await;
    assert!(bob.agents().is_empty(), "a job was taken in between");
    let joining = Instant::now();
    let carol = stack.caller("carol", "attic").await;
    carol.hears("agent-greeting", joining, LATER).await;
    stack.worker.assert_no_secret_was_printed();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_response_does_not_end_the_call() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    stack
        .model
        .arm(Fault::Fail("rate_limit_exceeded".to_owned()));
    ann.say("caller-train").await;
    eventually("the response failed", SOON, || {
        let done = stack.model.events(Side::Server, "response.done");
        match done
            .iter()
            .any(|done| done.event["response"]["status"] == "failed")
        {
            true => Ok(()),
            false => Err(format!("{} done", done.len())),
        }
    })
    .await;
    ann.sees_state("listening", LATER).await;
    let said = ann.say("caller-apples").await;
    ann.hears("caller-apples", said.ended, LATER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_a_filter_ends_before_its_first_word_is_asked_for_again() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    stack.model.arm(Fault::ContentFilter(0));
    let said = ann.say("caller-train").await;
    ann.hears("caller-train", said.ended, LATER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_session_is_replaced() {
    let stack = Stack::start().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    stack.model.arm(Fault::Expire);
    ann.say("caller-train").await;
    eventually("a second connection is up", LATER, || {
        match stack.model.connections() {
            0 | 1 => Err("not yet".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    ann.sees_state("listening", LATER).await;
    let said = ann.say("caller-apples").await;
    ann.hears("caller-apples", said.ended, LATER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_between_worker_and_server_is_repaired_and_the_call_goes_on() {
    let livekit = LivekitServer::start().await;
    let wire = Wire::to(livekit.address()).await.expect("a free port");
    let stack = Stack::through(livekit, wire.address()).await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;

    wire.take_down();
    eventually_async("the worker notices", SOON, || async {
        let page = stack
            .worker
            .page("/ready")
            .await
            .map_err(|error| error.to_string())?;
        if page.status == 200 {
            Err(format!("{page:?}"))
        } else {
            Ok(())
        }
    })
    .await;
    wire.restore();
    stack.worker.becomes_ready().await;
    eventually("the room link is whole again", LATER, || {
        stack.worker.log().expect(&["room link restored"])
    })
    .await;
    // Her microphone is asked for anew only then; what she says before is lost.
    ann.play(&silence(Duration::from_secs(1))).await;
    let said = ann.say("caller-train").await;
    let answer = ann.hears("agent-you-said", said.ended, LATER).await;
    ann.hears("caller-train", answer.ended, SOON).await;
    assert_eq!(ann.agents(), [agent], "the same agent, and only one");
    greeted(&stack, "bob", "garden").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_model_the_session_gives_up_in_time() {
    let stack = {
        let model = simulated_model(Script::default()).await;
        let gone = model.url();
        drop(model);
        Stack::with(Script::default(), |settings| {
            settings
                .with("ROOM_AGENT__MODEL__URL", &gone)
                .with("ROOM_AGENT__MODEL__GIVE_UP_AFTER", "3s")
        })
        .await
    };
    let _ann = stack.caller("ann", "kitchen").await;
    let end = job_over(&stack.livekit, "kitchen").await;
    assert!(end.failed, "{}", end.line);
}
