//! Calls that survive their network: media cut, signal cut, both, another source port, a server
//! that comes back without memory. People listen; nothing is asserted about how long it took.

use std::time::Duration;

use tests::{
    ears,
    eventually::{eventually, expect},
    faults::{Wire, impairment::Impairment, relay::UdpRelay},
    livekit_server::{LivekitServer, Pass},
    sim_model::{Script, Side},
    stack::{Stack, simulated_model},
    user::User,
    voice::silence,
    worker::{Settings, Worker},
};

use crate::story::{LATER, SOON, greeted, says};

/// Longer than the room library tries before it gives a room up, and the pauses in between.
const MUCH_LATER: Duration = Duration::from_secs(90);

/// A stack whose worker reaches the server over a wire, and everybody's media over a relay.
async fn wired() -> (Stack, Wire, UdpRelay) {
    let (livekit, relay) = LivekitServer::relayed(Impairment::default()).await;
    let wire = Wire::to(livekit.address()).await.expect("a free port");
    let stack = Stack::through(livekit, wire.address()).await;
    (stack, wire, relay)
}

/// How soon both directions carry sound after media heal. Words said before are lost in part.
const HEALING: Duration = Duration::from_secs(1);

/// Asks and is answered: both directions work, and so does the conversation.
async fn talks(ann: &User) {
    let said = ann.say("caller-train").await;
    let answer = ann.hears("agent-you-said", said.ended, LATER).await;
    ann.hears("caller-train", answer.ended, SOON).await;
}

/// Lets that much time of the call pass; nobody says anything.
async fn pass(ann: &User, length: Duration) {
    ann.play(&silence(length)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_through_the_relay_is_a_call() {
    let (stack, relay) = Stack::relayed(Impairment::default(), |settings| settings).await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    talks(&ann).await;
    let counts = relay.counts();
    assert!(counts.to_server.delivered > 100, "{counts:?}");
    assert!(counts.from_server.delivered > 100, "{counts:?}");
    assert_eq!(ann.agents(), [agent]);
}

async fn media_cut_for(length: Duration) {
    let (stack, relay) = Stack::relayed(Impairment::default(), |settings| settings).await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    relay.cut();
    pass(&ann, length).await;
    relay.heal();
    pass(&ann, HEALING).await;
    talks(&ann).await;
    assert_eq!(ann.agents(), [agent], "the same agent, and only one");
    assert!(relay.counts().to_server.cut > 0);
    let log = stack.worker.log();
    assert_eq!(log.find(&["room link lost"]), None, "the room was there");
}

#[tokio::test(flavor = "multi_thread")]
async fn media_that_are_away_for_a_second_come_back_in_the_same_room() {
    media_cut_for(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_that_are_away_for_five_seconds_come_back_in_the_same_room() {
    media_cut_for(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a third of a minute: `cargo xtask nightly stories`"]
async fn media_that_are_away_for_ten_seconds_come_back_and_the_log_says_why_they_went() {
    let (stack, relay) = Stack::relayed(Impairment::default(), |settings| settings).await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let worker = stack.worker.id().expect("it runs");
    relay.of_process(worker).cut();
    says(
        &stack,
        &["connection state", "Disconnected", "\"reason\""],
        LATER,
    )
    .await;
    pass(&ann, Duration::from_secs(4)).await;
    relay.heal();
    pass(&ann, HEALING).await;
    talks(&ann).await;
    assert_eq!(ann.agents(), [agent]);
    let entered = "room_agent_engine_states_total{reason=\"silent\",state=\"disconnected\"}";
    let lost = "room_agent_engine_states_total{reason=\"path_lost\",state=\"disconnected\"}";
    let silent = stack.worker.metric(entered).await.unwrap_or(0.0);
    let lost = stack.worker.metric(lost).await.unwrap_or(0.0);
    assert!(silent + lost >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute: `cargo xtask nightly stories`"]
async fn a_nat_that_forgets_everybody_ends_no_call() {
    let (stack, relay) = Stack::relayed(Impairment::default(), |settings| settings).await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    for _ in 0..3 {
        relay.rebind().expect("free ports");
        // The server learns the new port from the next check, within a second or two.
        pass(&ann, Duration::from_secs(3)).await;
        talks(&ann).await;
    }
    assert_eq!(ann.agents(), [agent]);
    assert!(relay.counts().rebinds >= 6);
    let log = stack.worker.log();
    assert_eq!(log.find(&["room link lost"]), None);
    assert_eq!(log.find(&["connection state", "Failed"]), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_goes_on_both_ways_while_the_signal_connection_is_replaced() {
    let (stack, wire, _relay) = wired().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let said = ann.say("caller-count").await;
    let counting = ann.hears("agent-one", said.ended, SOON).await;
    wire.cut();
    says(&stack, &["room link restored"], LATER).await;
    pass(&ann, Duration::from_secs(2)).await;

    // The agent counts on: no silence that is longer than its own pauses.
    let heard = ann.recording().since(counting.started);
    let spoken = ears::silent_from(&heard.pcm);
    let gaps: Vec<_> = ears::gaps(&heard.pcm, Duration::from_millis(900))
        .into_iter()
        .filter(|(at, _)| *at < spoken)
        .collect();
    assert!(gaps.is_empty(), "{gaps:?} of {spoken:?}");

    // And the model never stopped hearing: time that passed for it is what it was sent.
    let appends = stack
        .model
        .events(Side::Client, "input_audio_buffer.append");
    let longest = appends
        .windows(2)
        .filter(|pair| pair[0].at >= said.started)
        .map(|pair| pair[1].at - pair[0].at)
        .max();
    assert!(longest < Some(Duration::from_secs(1)), "{longest:?}");
    assert_eq!(ann.agents(), [agent]);
    talks(&ann).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute: `cargo xtask nightly stories`"]
async fn a_worker_cut_off_from_everything_for_ten_seconds_comes_back() {
    let (stack, wire, relay) = wired().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let worker = stack.worker.id().expect("it runs");
    wire.take_down();
    relay.of_process(worker).cut();
    pass(&ann, Duration::from_secs(10)).await;
    wire.restore();
    relay.heal();
    eventually("the room link is whole again", MUCH_LATER, || {
        let log = stack.worker.log();
        log.expect(&["room link restored"])
            .or_else(|_| log.expect(&["room joined again"]))
    })
    .await;
    pass(&ann, Duration::from_secs(1)).await;
    talks(&ann).await;
    assert_eq!(ann.agents(), [agent], "the same agent, and only one");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute: `cargo xtask nightly stories`"]
async fn a_room_that_was_given_up_is_joined_again_and_the_conversation_goes_on() {
    let (stack, wire, _relay) = wired().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    wire.take_down();
    says(&stack, &["room lost, joining it again"], MUCH_LATER).await;
    wire.restore();
    says(&stack, &["room joined again"], MUCH_LATER).await;
    stack.worker.becomes_ready().await;
    pass(&ann, Duration::from_secs(1)).await;
    talks(&ann).await;
    assert_eq!(ann.agents(), [agent], "the same agent, and only one");
    let rejoined = "room_agent_room_link_total{outcome=\"rejoined\"}";
    assert_eq!(stack.worker.metric(rejoined).await, Some(1.0));
    let connections = stack.model.connections();
    assert_eq!(connections, 1, "the conversation never ended");
    stack.worker.assert_no_secret_was_printed();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute: `cargo xtask nightly stories`"]
async fn a_room_that_is_gone_is_not_made_anew() {
    let (stack, wire, _relay) = wired().await;
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    wire.take_down();
    says(&stack, &["room lost, joining it again"], MUCH_LATER).await;
    let rooms = stack.livekit.rooms();
    rooms.delete_room("kitchen").await.expect("deleted");
    drop(ann);
    wire.restore();
    says(&stack, &["room given up", "room_gone"], MUCH_LATER).await;
    says(&stack, &["session ended"], SOON).await;
    let names = vec!["kitchen".to_owned()];
    let left = rooms.list_rooms(names).await.expect("listed");
    assert!(left.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_without_memory_gets_its_call_back() {
    let (livekit, _relay) = LivekitServer::relayed(Impairment::default()).await;
    let model = simulated_model(Script::default()).await;
    let worker = Worker::ready(&Settings::new(&livekit.url(), &model.url())).await;
    let mut stack = Stack {
        worker,
        model,
        livekit,
    };
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    stack.livekit.kill().await;
    says(&stack, &["room link lost"], LATER).await;
    stack.livekit.start_again().await;
    eventually("everybody is back", MUCH_LATER, || {
        let agents = ann.agents();
        expect(agents == [agent.as_str()], format!("{agents:?}"))
    })
    .await;
    stack.worker.becomes_ready().await;
    // Ann's own link is new, too; both may still be publishing.
    pass(&ann, Duration::from_secs(3)).await;
    talks(&ann).await;
    assert_eq!(ann.agents(), [agent], "the same agent, and only one");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_somebody_removed_does_not_come_back() {
    let stack = Stack::start().await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let rooms = stack.livekit.rooms();
    rooms
        .remove_participant("kitchen", &agent)
        .await
        .expect("removed");
    says(&stack, &["session ended", "removed"], SOON).await;
    let log = stack.worker.log();
    assert_eq!(log.find(&["joining it again"]), None);
    // Ann is told by the server, in her own time.
    eventually("nobody sees the agent any more", SOON, || {
        expect(ann.agents().is_empty(), format!("{:?}", ann.agents()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_place_was_taken_leaves_it() {
    let stack = Stack::start().await;
    let (_ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let mut pass = Pass::of(&agent, "kitchen");
    pass.kind = "agent";
    let _other = User::join_silently(&stack.livekit.url(), &pass).await;
    says(&stack, &["session ended", "duplicate"], SOON).await;
    let log = stack.worker.log();
    assert_eq!(log.find(&["joining it again"]), None);
}
