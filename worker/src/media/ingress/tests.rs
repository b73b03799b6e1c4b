//! Hermetic ring: the ears of a session under tokio's stopped clock, fed packet by packet.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::media::{
    Packet, duration,
    test_voice::{Microphone, voice},
};

/// The shortest packet of silence at 20 ms: a table of contents and nothing more.
const SILENT: &[u8] = &[0x48];

/// Silence that ends a turn.
const TURN_END: Duration = Duration::from_secs(1);

struct Stage {
    ingress: Ingress,
    appended: mpsc::Receiver<Pcm>,
    speech: mpsc::Receiver<Speech>,
    tasks: JoinSet<()>,
}

fn stage() -> Stage {
    let (append, appended) = mpsc::channel(1_000);
    let mut tasks = JoinSet::new();
    let own_voice = OwnVoice::new(now());
    let (ingress, speech) = Ingress::start_with(&mut tasks, own_voice, TURN_END, move |pcm| {
        append.try_send(pcm).expect("room for a test's audio");
        None
    });
    Stage {
        ingress,
        appended,
        speech,
        tasks,
    }
}

fn ann() -> ParticipantId {
    ParticipantId::new("ann")
}

fn bob() -> ParticipantId {
    ParticipantId::new("bob")
}

/// Somebody who speaks without end.
struct Speaker {
    microphone: Microphone,
    said: usize,
}

impl Speaker {
    fn new() -> Self {
        Self {
            microphone: Microphone::new(),
            said: 0,
        }
    }

    fn next(&mut self) -> Packet {
        let pcm: Vec<i16> = (self.said..self.said + 480).map(voice).collect();
        self.said += 480;
        self.microphone.packet(&pcm)
    }
}

impl Stage {
    /// Everything that was appended so far.
    fn heard(&mut self) -> Vec<i16> {
        let pieces = std::iter::from_fn(|| self.appended.try_recv().ok());
        pieces.flat_map(Vec::from).collect()
    }
}

/// Whether a voice is in it.
fn is_voice(pcm: &[i16]) -> bool {
    pcm.iter().any(|sample| sample.unsigned_abs() > 1_000)
}

fn packet(sequence: u64) -> Packet {
    Packet {
        sequence,
        timestamp: sequence as u32 * 960,
        arrival: now(),
        audio_level: None,
        ticks: 960,
        has_fec: false,
        payload: Bytes::from_static(SILENT),
    }
}

fn track() -> (mpsc::Sender<Packet>, Tap) {
    let (packets, received) = mpsc::channel(64);
    (packets, Tap::from_channel(received))
}

#[tokio::test(start_paused = true)]
async fn packet_of_an_open_ear_is_appended_at_once() {
    let mut stage = stage();
    let (packets, tap) = track();
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.listen(ann(), tap, false);
    let sent = now();
    packets.send(packet(0)).await.unwrap();
    let pcm = stage.appended.recv().await.unwrap();
    assert_eq!(pcm.duration(), Duration::from_millis(20));
    assert_eq!(now(), sent, "no time passed");
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_is_written_over() {
    const ROOM: usize = 5_000;
    let (append, mut appended) = mpsc::channel(1_000);
    let mut tasks = JoinSet::new();
    let own_voice = OwnVoice::new(now());
    let (ingress, _speech) = Ingress::start_with(&mut tasks, own_voice, TURN_END, move |pcm| {
        let pcm = Vec::from(pcm);
        append.try_send(pcm.capacity()).expect("room for it");
        Some(Pcm::from(Vec::with_capacity(ROOM)))
    });
    let tracks = [(ann(), track()), (bob(), track())].map(|(who, (packets, tap))| {
        ingress.gate(who.clone(), Gate::Open);
        ingress.listen(who, tap, false);
        packets
    });
    for sequence in 0..20 {
        for packets in &tracks {
            packets.send(packet(sequence)).await.expect("it is heard");
        }
        let room = appended.recv().await.expect("one of them leads");
        assert_eq!(room >= ROOM, sequence > 0, "{sequence}: {room}");
    }
}

#[tokio::test(start_paused = true)]
async fn silent_track_is_appended_in_real_time() {
    let mut stage = stage();
    let (_packets, tap) = track();
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.listen(ann(), tap, false);
    let start = now();
    let mut total = Duration::ZERO;
    while total < Duration::from_secs(2) {
        total += stage.appended.recv().await.unwrap().duration();
    }
    let took = now() - start;
    assert!(
        took >= total && took - total < Duration::from_millis(25),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn closed_ear_and_stopped_track_append_nothing() {
    let mut stage = stage();
    let (packets, tap) = track();
    stage.ingress.listen(ann(), tap, false);
    packets.send(packet(0)).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.stop(ann());
    drop(stage.ingress);
    stage.tasks.join_next().await.unwrap().unwrap();
    let heard: Duration = std::iter::from_fn(|| stage.appended.try_recv().ok())
        .map(|pcm| pcm.duration())
        .sum();
    assert_eq!(heard, Duration::ZERO);
}

/// Ann says something for half a second and is quiet for a tenth: the model has not ended her turn.
async fn in_mid_turn(stage: &mut Stage) -> mpsc::Sender<Packet> {
    let (packets, tap) = track();
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.listen(ann(), tap, false);
    let mut speaker = Speaker::new();
    for n in 0..30 {
        let next = speaker.next();
        let next = if n < 25 {
            next
        } else {
            Packet {
                payload: Bytes::from_static(SILENT),
                ..next
            }
        };
        packets.send(next).await.expect("it is heard");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stage.heard();
    packets
}

/// What the model is told in that time.
async fn told_within(stage: &mut Stage, time: Duration) -> Vec<i16> {
    tokio::time::sleep(time).await;
    stage.heard()
}

#[tokio::test(start_paused = true)]
async fn when_the_last_microphone_goes_the_model_is_told_silence_until_it_has_ended_the_turn() {
    let mut stage = stage();
    let _packets = in_mid_turn(&mut stage).await;
    stage.ingress.stop(ann());
    let first = told_within(&mut stage, TURN_END / 2).await;
    assert!(duration(first.len()) <= TURN_END * 2 / 3, "in real time");
    let rest = told_within(&mut stage, TURN_END * 5).await;
    assert_eq!(duration(first.len() + rest.len()), TURN_END);
    // The last of her quiet may still be decoded.
    assert!(!is_voice(&rest));
}

#[tokio::test(start_paused = true)]
async fn who_is_the_last_and_heard_no_more_ends_their_turn_too() {
    let mut stage = stage();
    let _packets = in_mid_turn(&mut stage).await;
    stage.ingress.gate(ann(), Gate::Closed);
    let told = told_within(&mut stage, TURN_END * 5).await;
    assert_eq!(duration(told.len()), TURN_END);
    // As long as somebody is heard, their own quiet does it.
    let (_quiet, tap) = track();
    stage.ingress.gate(bob(), Gate::Open);
    stage.ingress.listen(bob(), tap, false);
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.stop(ann());
    let told = told_within(&mut stage, TURN_END).await;
    assert!(duration(told.len()) <= TURN_END);
}

#[tokio::test(start_paused = true)]
async fn a_microphone_that_comes_back_needs_no_silence_in_its_place() {
    let mut stage = stage();
    drop(in_mid_turn(&mut stage).await);
    told_within(&mut stage, TURN_END / 4).await;
    let (_packets, tap) = track();
    stage.ingress.listen(ann(), tap, false);
    let told = told_within(&mut stage, TURN_END).await;
    assert!(duration(told.len()) <= TURN_END, "{}", told.len());
}

/// The value of a line of `/metrics` that begins like this.
fn metric(name: &str) -> f64 {
    let text = crate::telemetry::metrics::metrics().render();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|value| value.trim().parse().ok())
        .unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn what_a_bad_network_does_is_counted_where_it_happens() {
    const FAMILIES: [&str; 4] = [
        "room_agent_audio_gap_wait_seconds_count",
        "room_agent_audio_concealed_frames_total",
        "room_agent_rtc_jitter_buffer_delay_seconds_count",
        "room_agent_audio_dropped_frames_total{stage=\"ear\"}",
    ];
    let mut stage = stage();
    let (packets, tap) = track();
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.listen(ann(), tap, false);
    let before = FAMILIES.map(metric);
    // The third is lost, the second comes twice.
    for sequence in [0, 1, 1, 3] {
        packets.send(packet(sequence)).await.unwrap();
    }
    let mut heard = Duration::ZERO;
    while heard < Duration::from_millis(80) {
        heard += stage.appended.recv().await.unwrap().duration();
    }
    for (name, before) in FAMILIES.into_iter().zip(before) {
        assert!(metric(name) > before, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn next_track_of_the_same_person_finds_its_gate_open() {
    let mut stage = stage();
    let ((first, tap), (second, next)) = (track(), track());
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.listen(ann(), tap, false);
    drop(first);
    stage.ingress.listen(ann(), next, false);
    second.send(packet(0)).await.unwrap();
    assert!(stage.appended.recv().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn of_a_flood_of_packets_only_the_beginning_is_heard() {
    let mut stage = stage();
    let (packets, tap) = track();
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.listen(ann(), tap, false);
    let mut speaker = Speaker::new();
    let mut heard = [0; 2];
    for heard in &mut heard {
        for _ in 0..2_000 {
            packets.send(speaker.next()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
            *heard += stage.heard().len();
        }
    }
    let [begin, later] = heard.map(duration);
    // What a path may hold back, and what it took to know a flood.
    assert!(begin > Duration::from_secs(6), "{begin:?}");
    assert!(begin < Duration::from_secs(10), "{begin:?}");
    assert_eq!(later, Duration::ZERO);
}

/// Nobody is interrupted by what nobody hears.
#[tokio::test(start_paused = true)]
async fn speech_in_a_flood_is_over_when_it_is_heard_no_more() {
    let mut stage = stage();
    let (packets, tap) = track();
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.listen(ann(), tap, false);
    let mut speaker = Speaker::new();
    let mut told = [const { Vec::new() }; 2];
    for told in &mut told {
        for _ in 0..2_000 {
            packets.send(speaker.next()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
            told.extend(std::iter::from_fn(|| stage.speech.try_recv().ok()));
        }
    }
    let [begin, later] = told;
    assert!(
        matches!(begin.last(), Some((_, SpeechEdge::Stopped { .. }))),
        "{begin:?}"
    );
    assert_eq!(later, []);
}

#[tokio::test(start_paused = true)]
async fn who_begins_and_ends_to_speak_is_told() {
    let mut stage = stage();
    let (packets, tap) = track();
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.listen(ann(), tap, false);
    let mut speaker = Speaker::new();
    for _ in 0..25 {
        packets.send(speaker.next()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (who, edge) = stage.speech.recv().await.unwrap();
    assert_eq!(who, ann());
    assert!(matches!(edge, SpeechEdge::Started { .. }), "{edge:?}");
    stage.ingress.gate(ann(), Gate::Closed);
    let (_, edge) = stage.speech.recv().await.unwrap();
    assert!(matches!(edge, SpeechEdge::Stopped { .. }), "{edge:?}");
}

#[tokio::test(start_paused = true)]
async fn a_second_person_is_heard_from_the_first_word_on_while_the_first_is_quiet() {
    let mut stage = stage();
    let ((quiet, tap), (loud, other)) = (track(), track());
    for (who, tap) in [(ann(), tap), (bob(), other)] {
        stage.ingress.gate(who.clone(), Gate::Open);
        stage.ingress.listen(who, tap, false);
    }
    let mut speaker = Speaker::new();
    let mut before = 0;
    for n in 0..50 {
        quiet.send(packet(n)).await.unwrap();
        loud.send(speaker.next()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        before = n;
    }
    assert_eq!(before, 49);
    let heard = stage.heard();
    let first = heard.iter().position(|s| s.unsigned_abs() > 1_000).unwrap();
    let voiced = &heard[first..];
    // A second was spoken; all of it is there, with nothing of the quiet one between.
    let spoken = duration(voiced.len());
    assert!(spoken > Duration::from_millis(900), "{spoken:?}");
    assert!(voiced.chunks(2_400).all(is_voice), "a hole");
    assert_eq!(stage.speech.recv().await.unwrap().0, bob());
}

#[tokio::test(start_paused = true)]
async fn two_people_cost_the_model_no_more_than_real_time() {
    let mut stage = stage();
    let ((one, tap), (two, other)) = (track(), track());
    for (who, tap) in [(ann(), tap), (bob(), other)] {
        stage.ingress.gate(who.clone(), Gate::Open);
        stage.ingress.listen(who, tap, false);
    }
    let (mut first, mut second) = (Speaker::new(), Speaker::new());
    for _ in 0..250 {
        one.send(first.next()).await.unwrap();
        two.send(second.next()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let heard = duration(stage.heard().len());
    assert!(heard >= Duration::from_millis(4_900), "{heard:?}");
    assert!(heard <= Duration::from_millis(5_400), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_said_before_goes_first_and_in_one_piece() {
    let mut stage = stage();
    let (packets, tap) = track();
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.listen(ann(), tap, true);
    let mut speaker = Speaker::new();
    for _ in 0..10 {
        packets.send(speaker.next()).await.unwrap();
        tokio::time::advance(Duration::from_millis(20)).await;
        tokio::task::yield_now().await;
    }
    assert!(stage.appended.try_recv().is_err(), "it waits");
    let before: Vec<i16> = (0..48_000).map(voice).collect();
    stage.ingress.begin(ann(), Pcm::from(before.clone()));
    let all = stage.appended.recv().await.unwrap();
    assert_eq!(all.as_slice()[..48_000], before);
    let after = all.duration() - Duration::from_secs(2);
    assert!(after >= Duration::from_millis(180), "{after:?}");
    let (who, edge) = stage.speech.recv().await.unwrap();
    assert_eq!(who, ann());
    assert!(matches!(edge, SpeechEdge::Started { .. }), "{edge:?}");
    packets.send(speaker.next()).await.unwrap();
    let next = stage.appended.recv().await.unwrap();
    assert_eq!(next.duration(), Duration::from_millis(20), "as ever");
}

#[tokio::test(start_paused = true)]
async fn a_beginning_may_come_before_its_track() {
    let mut stage = stage();
    let (_packets, tap) = track();
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.begin(ann(), Pcm::from(vec![7; 24_000]));
    stage.ingress.listen(ann(), tap, true);
    let first = stage.appended.recv().await.unwrap();
    assert_eq!(first.as_slice(), [7; 24_000]);
}

#[tokio::test(start_paused = true)]
async fn a_beginning_that_does_not_come_is_waited_for_three_seconds() {
    let mut stage = stage();
    let (_packets, tap) = track();
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.listen(ann(), tap, true);
    let start = now();
    let heard = stage.appended.recv().await.unwrap().duration();
    assert_eq!(now() - start, Duration::from_secs(3));
    assert!(heard >= Duration::from_millis(2_900), "{heard:?}");
    stage.ingress.begin(ann(), Pcm::from(vec![7; 24_000]));
    let next = stage.appended.recv().await.unwrap();
    assert!(next.as_slice().iter().all(|s| *s == 0), "too late");
}

#[tokio::test(start_paused = true)]
async fn a_closed_ear_has_no_beginning_and_what_waited_for_it_is_heard() {
    let mut stage = stage();
    let (packets, tap) = track();
    stage.ingress.gate(ann(), Gate::Open);
    stage.ingress.listen(ann(), tap, true);
    let mut speaker = Speaker::new();
    for _ in 0..10 {
        packets.send(speaker.next()).await.unwrap();
        tokio::time::advance(Duration::from_millis(20)).await;
        tokio::task::yield_now().await;
    }
    stage.ingress.gate(ann(), Gate::Closed);
    let waited = stage.appended.recv().await.unwrap();
    assert!(is_voice(waited.as_slice()));
    stage.ingress.begin(ann(), Pcm::from(vec![7; 24_000]));
    stage.ingress.gate(ann(), Gate::Open);
    let next = stage.appended.recv().await.unwrap();
    assert_ne!(next.as_slice()[..100], [7; 100], "it is closed");
}
