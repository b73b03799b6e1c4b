//! The public face over real loopback sockets: what an application sees, without a room.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    fs,
    sync::{Arc, Weak},
    time::Duration,
};

use libwebrtc::{
    audio_source::native::NativeAudioSource, audio_stream::native::NativeAudioStream, ext,
    media_stream_track::RtcTrackState, native::create_random_uuid,
    peer_connection_factory::native::PeerConnectionFactoryExt, prelude::*, stats::RtcStats,
};
use tokio::{
    sync::mpsc::{Receiver, channel},
    time::{interval, timeout},
};
use tokio_stream::StreamExt;

#[path = "face/sealed.rs"]
mod sealed;

const SOON: Duration = Duration::from_secs(10);

fn configure() {
    // Whichever test is first wins; all want the same.
    let _ = ext::configure(ext::Settings {
        include_loopback: true,
        interfaces: vec!["lo".to_owned()],
        io_threads: Some(1),
        ..ext::Settings::default()
    });
}

/// One end with everything it was told.
struct End {
    pc: PeerConnection,
    candidates: Receiver<IceCandidate>,
    channels: Receiver<DataChannel>,
    tracks: Receiver<RtcAudioTrack>,
    states: Receiver<PeerConnectionState>,
}

impl End {
    fn new() -> Self {
        configure();
        let factory = PeerConnectionFactory::default();
        let pc = factory
            .create_peer_connection(RtcConfiguration::default())
            .unwrap();
        let (tell_candidate, candidates) = channel(16);
        let (tell_channel, channels) = channel(16);
        let (tell_track, tracks) = channel(16);
        let (tell_state, states) = channel(16);
        pc.on_ice_candidate(Some(Box::new(move |candidate| {
            tell_candidate.try_send(candidate).unwrap();
        })));
        pc.on_data_channel(Some(Box::new(move |channel| {
            tell_channel.try_send(channel).unwrap();
        })));
        pc.on_track(Some(Box::new(move |event| {
            if let MediaStreamTrack::Audio(track) = event.track {
                tell_track.try_send(track).unwrap();
            }
        })));
        pc.on_connection_state_change(Some(Box::new(move |state| {
            tell_state.try_send(state).unwrap();
        })));
        Self {
            pc,
            candidates,
            channels,
            tracks,
            states,
        }
    }

    fn publish(&self) -> NativeAudioSource {
        let source = NativeAudioSource::new(AudioSourceOptions::default(), 24_000, 1, 0);
        let factory = PeerConnectionFactory::default();
        let track = factory.create_audio_track(&create_random_uuid(), source.clone());
        let init = RtpTransceiverInit {
            direction: RtpTransceiverDirection::SendOnly,
            stream_ids: vec!["voice".to_owned()],
            send_encodings: Vec::new(),
        };
        self.pc.add_transceiver(track.into(), init).unwrap();
        source
    }

    async fn connected(&mut self) {
        let wait =
            async { while self.states.recv().await.unwrap() != PeerConnectionState::Connected {} };
        timeout(SOON, wait).await.expect("it connects");
    }
}

async fn soon<T>(receiver: &mut Receiver<T>) -> T {
    timeout(SOON, receiver.recv())
        .await
        .expect("it happens")
        .expect("the sender lives")
}

async fn negotiate(caller: &End, callee: &End) {
    let offer = caller
        .pc
        .create_offer(OfferOptions::default())
        .await
        .unwrap();
    caller
        .pc
        .set_local_description(offer.clone())
        .await
        .unwrap();
    callee.pc.set_remote_description(offer).await.unwrap();
    let answer = callee
        .pc
        .create_answer(AnswerOptions::default())
        .await
        .unwrap();
    callee
        .pc
        .set_local_description(answer.clone())
        .await
        .unwrap();
    caller.pc.set_remote_description(answer).await.unwrap();
}

async fn connect(caller: &mut End, callee: &mut End) {
    negotiate(caller, callee).await;
    let candidate = soon(&mut caller.candidates).await;
    callee.pc.add_ice_candidate(candidate).await.unwrap();
    let candidate = soon(&mut callee.candidates).await;
    caller.pc.add_ice_candidate(candidate).await.unwrap();
    caller.connected().await;
    callee.connected().await;
}

fn frame(value: i16) -> AudioFrame<'static> {
    AudioFrame {
        data: vec![value; 240].into(),
        sample_rate: 24_000,
        num_channels: 1,
        samples_per_channel: 240,
    }
}

/// Captures a stretch of something that is not silence, in real time.
async fn speak(source: &NativeAudioSource, frames: usize) {
    let mut pace = interval(Duration::from_millis(10));
    for number in 0..frames {
        pace.tick().await;
        let value = if number % 2 == 0 { 6_000 } else { -6_000 };
        source.capture_frame(&frame(value)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_makes_the_round_through_real_sockets() {
    let (mut caller, mut callee) = (End::new(), End::new());
    let ours = caller
        .pc
        .create_data_channel("chat", DataChannelInit::default())
        .unwrap();
    let (tell, mut open) = channel(4);
    ours.on_state_change(Some(Box::new(move |state| tell.try_send(state).unwrap())));
    connect(&mut caller, &mut callee).await;
    assert_eq!(soon(&mut open).await, DataChannelState::Open);
    let theirs = soon(&mut callee.channels).await;
    assert_eq!(theirs.label(), "chat");

    ours.send(b"before anybody listens", true).unwrap();
    let (tell, mut heard) = channel(4);
    theirs.on_message(Some(Box::new(move |message| {
        tell.try_send((message.data.to_vec(), message.binary))
            .unwrap();
    })));
    assert_eq!(
        soon(&mut heard).await,
        (b"before anybody listens".to_vec(), true)
    );
    assert!(ours.send(&[0xff], false).is_err(), "text must be UTF-8");
    ours.send("Grüße".as_bytes(), false).unwrap();
    assert_eq!(soon(&mut heard).await, ("Grüße".into(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn captured_sound_is_heard_by_taps_and_streams() {
    let (mut caller, mut callee) = (End::new(), End::new());
    let source = caller.publish();
    connect(&mut caller, &mut callee).await;
    let track = soon(&mut callee.tracks).await;
    let mut tap = ext::tap_remote(&track, 64).unwrap();
    assert!(ext::tap_local(&track, 64).is_none());
    let mut stream = NativeAudioStream::new(track.clone(), 48_000, 2);
    speak(&source, 40).await;
    let packet = timeout(SOON, tap.recv()).await.unwrap().unwrap();
    assert!(packet.marker, "the first packet of speech says so");
    let loud = async {
        loop {
            let frame = stream.next().await.unwrap();
            assert_eq!((frame.sample_rate, frame.num_channels), (48_000, 2));
            assert_eq!(frame.data.len(), 960);
            if frame.data.iter().any(|sample| sample.abs() > 500) {
                break;
            }
        }
    };
    timeout(SOON, loud)
        .await
        .expect("sound comes out of the stream");

    caller.pc.close();
    callee.pc.close();
    assert_eq!(track.state(), RtcTrackState::Ended);
    let end = async { while tap.recv().await.is_some() {} };
    timeout(SOON, end)
        .await
        .expect("the tap ends with the connection");
    let end = async { while stream.next().await.is_some() {} };
    timeout(SOON, end)
        .await
        .expect("the stream ends with the connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_milliseconds_are_sent_within_the_call_that_completes_them() {
    let (mut caller, mut callee) = (End::new(), End::new());
    let source = caller.publish();
    connect(&mut caller, &mut callee).await;
    let MediaStreamTrack::Audio(track) = caller.pc.senders()[0].track().unwrap() else {
        panic!("an audio track was published")
    };
    let mut sent = ext::tap_local(&track, 8).unwrap();
    source.capture_frame(&frame(1_000)).await.unwrap();
    assert!(sent.try_recv().is_none());
    source.capture_frame(&frame(1_000)).await.unwrap();
    assert!(sent.try_recv().is_some(), "no thread in between");
    source.capture_frame(&frame(1_000)).await.unwrap();
    source.clear_buffer();
    source.capture_frame(&frame(1_000)).await.unwrap();
    assert!(sent.try_recv().is_none(), "the flushed half never leaves");
}

fn local_track(end: &End) -> RtcAudioTrack {
    match end.pc.senders()[0].track() {
        Some(MediaStreamTrack::Audio(track)) => track,
        _ => panic!("an audio track was published"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_taps_name_a_packet_as_the_wire_does() {
    let (mut caller, mut callee) = (End::new(), End::new());
    let source = caller.publish();
    connect(&mut caller, &mut callee).await;
    let track = soon(&mut callee.tracks).await;
    let mut arriving = ext::tap_remote(&track, 64).unwrap();
    let mut leaving = ext::tap_local(&local_track(&caller), 64).unwrap();
    speak(&source, 60).await;
    let mut numbers = Vec::new();
    for _ in 0..30 {
        let sent = leaving.try_recv().expect("a packet every 20 ms");
        let came = timeout(SOON, arriving.recv()).await.unwrap().unwrap();
        assert_eq!(sent.sequence, came.sequence);
        assert_eq!(sent.timestamp, came.timestamp);
        assert_eq!(sent.marker, came.marker);
        assert_eq!(sent.audio_level, came.audio_level);
        assert_eq!(sent.payload, came.payload);
        assert!(
            sent.arrival <= came.arrival,
            "one clock, and no time travel"
        );
        numbers.push(sent.sequence);
    }
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!((leaving.dropped(), arriving.dropped()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tap_that_nobody_reads_keeps_the_newest_and_counts_the_rest() {
    let (mut caller, mut callee) = (End::new(), End::new());
    let source = caller.publish();
    connect(&mut caller, &mut callee).await;
    let before = ext::counters().tap_dropped;
    let mut all = ext::tap_local(&local_track(&caller), 64).unwrap();
    let mut lazy = ext::tap_local(&local_track(&caller), 4).unwrap();
    speak(&source, 40).await;
    assert_eq!(lazy.dropped(), 16);
    assert!(ext::counters().tap_dropped >= before + 16);
    let all: Vec<u64> = std::iter::from_fn(|| all.try_recv())
        .map(|packet| packet.sequence)
        .collect();
    let kept: Vec<u64> = std::iter::from_fn(|| lazy.try_recv())
        .map(|packet| packet.sequence)
        .collect();
    assert_eq!(all.len(), 20);
    assert_eq!(kept, all[16..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_fell_silent_sends_nothing() {
    let (mut caller, mut callee) = (End::new(), End::new());
    let source = caller.publish();
    connect(&mut caller, &mut callee).await;
    let mut leaving = ext::tap_local(&local_track(&caller), 64).unwrap();
    speak(&source, 40).await;
    let sent = std::iter::from_fn(|| leaving.try_recv()).count();
    assert_eq!(sent, 20);
    // The engine is at work all the while: the next statistics come from its own clock.
    let path = async {
        loop {
            let report = caller.pc.get_stats().await.unwrap();
            if report
                .iter()
                .any(|entry| matches!(entry, RtcStats::CandidatePair(_)))
            {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, path).await.expect("statistics come");
    assert!(
        leaving.try_recv().is_none(),
        "no packet after the last frame"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_stream_tells_how_long_it_held_packets_back_and_what_it_made_up() {
    let (mut caller, mut callee) = (End::new(), End::new());
    let source = caller.publish();
    connect(&mut caller, &mut callee).await;
    let track = soon(&mut callee.tracks).await;
    let before: u64 = ext::counters().jitter_buffer_delay.counts.iter().sum();
    let mut stream = NativeAudioStream::new(track, 48_000, 1);
    let told = async {
        loop {
            // Speech that stops in the middle of a sound is concealed before it is silent.
            speak(&source, 30).await;
            for _ in 0..30 {
                stream.next().await.unwrap();
            }
            let report = callee.pc.get_stats().await.unwrap();
            let inbound = report.iter().find_map(|entry| match entry {
                RtcStats::InboundRtp(stats) => Some(stats.inbound.clone()),
                _ => None,
            });
            if let Some(stats) = inbound.filter(|stats| stats.concealment_events > 0) {
                return stats;
            }
        }
    };
    let stats = timeout(SOON, told).await.expect("concealment is counted");
    assert!(stats.concealed_samples >= 480);
    assert!(stats.total_samples_received > stats.concealed_samples);
    assert!(stats.jitter_buffer_emitted_count > 0);
    let held = stats.jitter_buffer_delay / stats.jitter_buffer_emitted_count as f64;
    assert!((0.001..5.0).contains(&held), "{held} s on average");
    let after: u64 = ext::counters().jitter_buffer_delay.counts.iter().sum();
    assert!(after > before);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted_while_they_exist() {
    let (mut caller, mut callee) = (End::new(), End::new());
    let source = caller.publish();
    connect(&mut caller, &mut callee).await;
    let before = ext::counters();
    assert!(before.connections >= 2);
    speak(&source, 40).await;
    let after = ext::counters();
    assert!(after.packets_sent >= before.packets_sent + 20);
    let received = async {
        while ext::counters().packets_received < before.packets_received + 20 {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, received)
        .await
        .expect("what was sent arrives");
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_name_the_path_and_count_packets() {
    let (mut caller, mut callee) = (End::new(), End::new());
    let source = caller.publish();
    connect(&mut caller, &mut callee).await;
    let counted = async {
        loop {
            speak(&source, 20).await;
            let report = caller.pc.get_stats().await.unwrap();
            let sent = report.iter().any(|entry| {
                matches!(entry, RtcStats::OutboundRtp(stats) if stats.sent.packets_sent > 5)
            });
            let path = report
                .iter()
                .any(|entry| matches!(entry, RtcStats::CandidatePair(_)));
            if sent && path {
                break;
            }
        }
    };
    timeout(SOON, counted)
        .await
        .expect("packets and the path are reported");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_and_nothing_works_after_close() {
    let (mut caller, mut callee) = (End::new(), End::new());
    let channel = caller
        .pc
        .create_data_channel("chat", DataChannelInit::default())
        .unwrap();
    connect(&mut caller, &mut callee).await;
    caller.pc.close();
    caller.pc.close();
    assert_eq!(caller.pc.connection_state(), PeerConnectionState::Closed);
    assert_eq!(caller.pc.signaling_state(), SignalingState::Closed);
    assert!(channel.send(b"late", true).is_err());
    assert!(
        caller
            .pc
            .create_offer(OfferOptions::default())
            .await
            .is_err()
    );
    assert!(caller.pc.get_stats().await.is_err());
    assert!(caller.pc.transceivers().is_empty());
    while let Some(state) = caller.states.recv().await {
        assert_ne!(
            state,
            PeerConnectionState::Closed,
            "closing is not told to who closed"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn video_is_refused_with_a_reason() {
    let end = End::new();
    let factory = PeerConnectionFactory::default();
    let source = libwebrtc::video_source::native::NativeVideoSource::default();
    let track = factory.create_video_track("camera", source);
    let init = RtpTransceiverInit {
        direction: RtpTransceiverDirection::SendOnly,
        stream_ids: Vec::new(),
        send_encodings: Vec::new(),
    };
    let refused = end.pc.add_transceiver(track.into(), init).unwrap_err();
    assert!(refused.message.contains("video"), "{refused}");
    assert!(
        factory
            .get_rtp_sender_capabilities(MediaType::Video)
            .codecs
            .is_empty()
    );
}

/// UDP sockets of this process.
fn sockets() -> usize {
    let entries = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}

#[cfg(target_os = "linux")]
#[test]
fn closed_and_dropped_connections_free_their_sockets_and_callbacks() {
    // A process of its own would be better; the other tests open at most two sockets each.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let before = sockets();
        let mut owned: Vec<Weak<()>> = Vec::new();
        for round in 0..40 {
            let (mut caller, mut callee) = (End::new(), End::new());
            let token = Arc::new(());
            owned.push(Arc::downgrade(&token));
            let channel = caller
                .pc
                .create_data_channel("c", DataChannelInit::default())
                .unwrap();
            channel.on_message(Some(Box::new(move |_| {
                let _ = &token;
            })));
            connect(&mut caller, &mut callee).await;
            if round % 2 == 0 {
                caller.pc.close();
                callee.pc.close();
            }
        }
        let settle = async {
            let mut look = interval(Duration::from_millis(20));
            while owned.iter().any(|token| token.strong_count() > 0) || sockets() > before + 20 {
                look.tick().await;
            }
        };
        timeout(SOON, settle)
            .await
            .expect("80 connections leave nothing behind");
    });
}
