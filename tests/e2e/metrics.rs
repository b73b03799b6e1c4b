//! What an operator sees: the families of a conversation move, and no label multiplies them.

use std::{collections::BTreeSet, time::Duration};

use tests::{
    eventually::{eventually_async, expect},
    faults::impairment::{Conditions, Impairment, Loss},
    scrape::metric,
    stack::Stack,
};

use crate::story::{LATER, SOON, greeted};

/// All that a conversation of one turn moves.
const CONVERSATION: &[&str] = &[
    "job_offers_total{answer=\"accepted\"}",
    "job_start_seconds_count",
    "model_append_seconds_count",
    "model_connect_seconds_count",
    "model_events_total{type=\"audio_delta\"}",
    "model_events_total{type=\"response_done\"}",
    "model_events_total{type=\"session_created\"}",
    "model_events_total{type=\"speech_started\"}",
    "model_events_total{type=\"turn_committed\"}",
    "model_link_total{outcome=\"up\"}",
    "rtc_connections",
    "rtc_packets_total{direction=\"in\"}",
    "rtc_packets_total{direction=\"out\"}",
    "rtc_round_trip_seconds_count",
    "sessions_active",
    "time_to_first_audio_seconds_count",
    "turn_stage_seconds_count{stage=\"endpointing\"}",
    "turn_stage_seconds_count{stage=\"model\"}",
    "turn_stage_seconds_count{stage=\"total\"}",
    "turn_stage_seconds_count{stage=\"voice\"}",
    "turns_total{ended_by=\"completed\"}",
];

/// What a lossy network moves besides.
const LOSS: &[&str] = &[
    "audio_concealed_frames_total",
    "audio_gap_wait_seconds_count",
    "rtc_packets_lost_total{direction=\"in\"}",
    "rtc_packets_lost_total{direction=\"out\"}",
    "rtc_discarded_datagrams_total",
];

/// Families that must be there although nothing may have happened to them.
const PRESENT: &[&str] = &[
    "media_late_ticks_total",
    "playout_underruns_total",
    "rtc_jitter_buffer_delay_seconds_count",
    "rtc_refused_packets_total",
    "rtc_refused_peers_total",
    "rtc_late_wakeups_total",
    "rtc_tap_dropped_packets_total",
    "rtc_unsent_datagrams_total",
];

async fn scrape(stack: &Stack) -> String {
    let page = stack.worker.page("/metrics").await.expect("a page");
    assert_eq!(page.status, 200);
    page.body
}

fn value(page: &str, series: &str) -> f64 {
    metric(page, &format!("room_agent_{series}")).unwrap_or(0.0)
}

fn unmoved<'a>(page: &str, series: &[&'a str]) -> Vec<&'a str> {
    let still = |series: &&&str| value(page, series) == 0.0;
    series.iter().filter(still).copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_family_of_a_conversation_moves() {
    let stack = Stack::start().await;
    let before = scrape(&stack).await;
    for series in CONVERSATION {
        let early = series.starts_with("job_offers");
        assert!(
            early || value(&before, series) == 0.0,
            "{series} moved on its own"
        );
    }
    let (ann, _) = greeted(&stack, "ann", "kitchen").await;
    let said = ann.say("caller-apples").await;
    ann.hears("caller-apples", said.ended, SOON).await;
    eventually_async("all families have moved", SOON, || async {
        let still = unmoved(&scrape(&stack).await, CONVERSATION);
        expect(still.is_empty(), format!("{still:?}"))
    })
    .await;
    let page = scrape(&stack).await;
    for series in PRESENT {
        let name = format!("room_agent_{series}");
        assert!(metric(&page, &name).is_some(), "{name} is not there");
    }
    labels_are_words_of_ours(&page);

    ann.leave().await;
    eventually_async("nothing is left of the session", LATER, || async {
        let page = scrape(&stack).await;
        let left = ["sessions_active", "rtc_connections"].map(|series| value(&page, series));
        expect(left == [0.0, 0.0], format!("{left:?}"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loss_on_the_way_to_the_server_and_back_is_seen() {
    let (stack, relay) = Stack::relayed(Impairment::default(), |settings| settings).await;
    let (ann, _) = greeted(&stack, "ann", "attic").await;
    let bad = Conditions {
        loss: Loss::Random(0.1),
        duplicate: 0.05,
        delay: Duration::from_millis(10),
        ..Conditions::default()
    };
    let worker = stack.worker.id().expect("the worker runs");
    relay.of_process(worker).set(Impairment::both(bad, 11));
    let mut still = LOSS.to_vec();
    for _ in 0..8 {
        let said = ann.say("caller-apples").await;
        ann.hears("caller-apples", said.ended, LATER).await;
        still = unmoved(&scrape(&stack).await, LOSS);
        if still.is_empty() {
            break;
        }
    }
    assert_eq!(
        still,
        Vec::<&str>::new(),
        "of eight turns over a lossy path"
    );
    labels_are_words_of_ours(&scrape(&stack).await);
}

/// Every value of every label, but for numbers and the version, is one lower-case word, and no label
/// has many of them: nothing that a caller, a room or a provider chose.
fn labels_are_words_of_ours(page: &str) {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let labels = lines.filter_map(|line| line.split_once('{')?.1.split_once('}'));
    let pairs = labels.flat_map(|(labels, _)| labels.split("\","));
    let mut values: BTreeSet<(&str, &str)> = BTreeSet::new();
    for pair in pairs {
        let (name, word) = pair.split_once("=\"").expect("label=\"value\"");
        let word = word.trim_end_matches('"');
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let is_number = name == "le" || name == "version";
        assert!(is_number || word.bytes().all(plain), "{name}={word}");
        values.insert((name, word));
    }
    for (name, _) in &values {
        let count = values.iter().filter(|(other, _)| other == name).count();
        assert!(count <= 64, "{count} values of {name}");
    }
}
