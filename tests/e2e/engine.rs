//! The official room library on our engine against the real server: sound and data both ways, in
//! both connection modes; signal loss, full reconnection, and what must be refused.

use std::{sync::Arc, time::Duration};

use libwebrtc::ext::{self, Tap};
use livekit::{
    RoomError, SendTextOptions, SimulateScenario, StreamReader,
    options::TrackPublishOptions,
    prelude::*,
    webrtc::video_source::{RtcVideoSource, native::NativeVideoSource},
};
use tests::{
    clips::SAMPLE_RATE,
    ears,
    eventually::{eventually_async, expect},
    livekit_server::{LivekitServer, Pass},
    microphone::{self, FRAME, Microphone},
    user::configure_engine,
};
use tokio::{sync::mpsc, task::JoinSet};

const SOON: Duration = Duration::from_secs(15);

/// A participant that whistles one tone and listens with taps.
struct Whistler {
    room: Arc<Room>,
    events: mpsc::UnboundedReceiver<RoomEvent>,
    hertz: f32,
    _tasks: JoinSet<()>,
}

impl Whistler {
    async fn join(server: &LivekitServer, name: &str, hertz: f32, single: bool) -> Self {
        configure_engine();
        let mut options = RoomOptions::default();
        options.single_peer_connection = single;
        let token = Pass::of(name, "engine").token();
        let (room, events) = Room::connect(&server.url(), &token, options)
            .await
            .expect("joined");
        assert_eq!(room.is_single_peer_connection_active(), single);
        let mut whistler = Self {
            room: Arc::new(room),
            events,
            hertz,
            _tasks: JoinSet::new(),
        };
        whistler.whistle().await;
        whistler
    }

    /// Publishes a track and whistles into it until dropped.
    async fn whistle(&mut self) {
        let whistle = Microphone::new(0);
        // An even tone is noise to the codec's speech detector, which would leave it out.
        let publication = whistle.publish(&self.room, microphone::without_dtx());
        publication.await.expect("published");
        let hertz = self.hertz;
        self._tasks.spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(10));
            for start in (0..).step_by(FRAME) {
                pace.tick().await;
                let captured = whistle.capture(&tone(hertz, start)).await;
                captured.expect("10 ms are taken");
            }
        });
    }

    /// Waits for the other's track.
    async fn hear(&mut self) -> Ear {
        let track = self.next("a subscription", |event| match event {
            RoomEvent::TrackSubscribed {
                track: RemoteTrack::Audio(track),
                ..
            } => Some(track),
            _ => None,
        });
        let track = track.await;
        let tap = ext::tap_remote(&track.rtc_track(), 1_024).expect("a remote track");
        Ear { tap, _track: track }
    }

    async fn next<T>(&mut self, what: &str, pick: impl Fn(RoomEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("the room is open");
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        match tokio::time::timeout(SOON, search).await {
            Ok(found) => found,
            Err(_) => panic!("not within {SOON:?}: {what}"),
        }
    }

    async fn send(&self, payload: &[u8], reliable: bool) {
        let packet = DataPacket {
            payload: payload.to_vec(),
            reliable,
            ..Default::default()
        };
        self.room
            .local_participant()
            .publish_data(packet)
            .await
            .expect("sent");
    }

    async fn receive(&mut self) -> Vec<u8> {
        self.next("a data packet", |event| match event {
            RoomEvent::DataReceived { payload, .. } => Some(payload.to_vec()),
            _ => None,
        })
        .await
    }
}

struct Ear {
    tap: Tap,
    _track: RemoteAudioTrack,
}

impl Ear {
    /// Listens to one second of sound and says how much of it is that tone.
    async fn share_of(&mut self, hertz: f32) -> f32 {
        let mut decoder =
            opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono).expect("a rate of Opus");
        let mut pcm = Vec::new();
        let listen = async {
            while pcm.len() < SAMPLE_RATE as usize {
                let packet = self.tap.recv().await.expect("the track lives");
                let mut piece = [0i16; 2_880];
                let length = decoder
                    .decode(&packet.payload, &mut piece, false)
                    .expect("Opus");
                pcm.extend_from_slice(&piece[..length]);
            }
        };
        tokio::time::timeout(SOON, listen)
            .await
            .expect("sound comes");
        // The decoder needs a moment to swing in.
        ears::tone_share(&pcm[SAMPLE_RATE as usize / 2..], hertz)
    }
}

fn tone(hertz: f32, start: usize) -> Vec<i16> {
    let turn = f64::from(hertz) * std::f64::consts::TAU / f64::from(SAMPLE_RATE);
    let angle = |n: usize| n as f64 * turn;
    (start..start + FRAME)
        .map(|n| (angle(n).sin() * 8_000.0) as i16)
        .collect()
}

async fn sound_and_data_both_ways(single: bool) {
    let server = LivekitServer::start().await;
    let mut ann = Whistler::join(&server, "ann", 440.0, single).await;
    let mut bob = Whistler::join(&server, "bob", 1_000.0, single).await;
    let (mut ann_hears, mut bob_hears) = (ann.hear().await, bob.hear().await);
    for (ear, heard, other) in [
        (&mut ann_hears, 1_000.0, 440.0),
        (&mut bob_hears, 440.0, 1_000.0),
    ] {
        let share = ear.share_of(heard).await;
        assert!(share > 0.9, "{heard} Hz makes up {share}");
        assert!(ear.share_of(other).await < 0.05);
        assert_eq!(ear.tap.dropped(), 0);
    }
    for reliable in [true, false] {
        ann.send(b"from ann", reliable).await;
        assert_eq!(bob.receive().await, b"from ann");
        bob.send(b"from bob", reliable).await;
        assert_eq!(ann.receive().await, b"from bob");
    }
    ann.room.close().await.expect("closed");
    bob.next("ann leaves", |event| {
        matches!(event, RoomEvent::ParticipantDisconnected(_)).then_some(())
    })
    .await;
    bob.room.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_hear_each_other_over_one_connection_each() {
    sound_and_data_both_ways(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_hear_each_other_over_two_connections_each() {
    sound_and_data_both_ways(false).await;
}

async fn survives(scenario: SimulateScenario, single: bool) {
    let server = LivekitServer::start().await;
    let mut ann = Whistler::join(&server, "ann", 440.0, single).await;
    let mut bob = Whistler::join(&server, "bob", 1_000.0, single).await;
    let mut before = bob.hear().await;
    assert!(before.share_of(440.0).await > 0.9);
    let room = ann.room.clone();
    let simulated = room.simulate_scenario(scenario).await;
    simulated.expect("the scenario can be simulated");
    ann.next("reconnected", |event| {
        matches!(event, RoomEvent::Reconnected).then_some(())
    })
    .await;
    // A full reconnection publishes anew, which ends the track bob heard.
    let resumed = async { before.share_of(440.0).await };
    let share = match tokio::time::timeout(Duration::from_secs(5), resumed).await {
        Ok(share) => share,
        Err(_) => bob.hear().await.share_of(440.0).await,
    };
    assert!(share > 0.9, "440 Hz makes up {share}");
    ann.send(b"still here", true).await;
    assert_eq!(bob.receive().await, b"still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_signal_connection_is_resumed_and_sound_goes_on() {
    survives(SimulateScenario::SignalReconnect, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_signal_connection_is_resumed_with_two_connections_too() {
    survives(SimulateScenario::SignalReconnect, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_video_is_refused_at_once() {
    let server = LivekitServer::start().await;
    let ann = Whistler::join(&server, "ann", 440.0, true).await;
    let source = RtcVideoSource::Native(NativeVideoSource::default());
    let track = LocalVideoTrack::create_video_track("camera", source);
    let local = ann.room.local_participant();
    let publish = local.publish_track(LocalTrack::Video(track), TrackPublishOptions::default());
    let refused = tokio::time::timeout(SOON, publish)
        .await
        .expect("it does not hang");
    assert!(matches!(refused, Err(RoomError::Engine(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_many_pieces_arrives_whole() {
    let server = LivekitServer::start().await;
    let ann = Whistler::join(&server, "ann", 440.0, true).await;
    let mut bob = Whistler::join(&server, "bob", 1_000.0, true).await;
    let text = "all work and no play ".repeat(20_000);
    let options = SendTextOptions::new_with_topic("long");
    let sending = ann.room.local_participant();
    sending.send_text(&text, options).await.expect("sent");
    let reader = bob.next("a text stream", |event| match event {
        RoomEvent::TextStreamOpened { reader, .. } => reader.take(),
        _ => None,
    });
    let reader = reader.await;
    let received = tokio::time::timeout(SOON, reader.read_all())
        .await
        .expect("it ends");
    assert_eq!(received.expect("whole"), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_count_what_is_sent() {
    let server = LivekitServer::start().await;
    let ann = Whistler::join(&server, "ann", 440.0, true).await;
    let room = ann.room.clone();
    let look = || {
        let room = room.clone();
        async move {
            let stats = room.get_stats().await.map_err(|error| error.to_string())?;
            let sent = stats.publisher_stats.iter().any(|entry| match entry {
                livekit::webrtc::stats::RtcStats::OutboundRtp(out) => out.sent.packets_sent > 50,
                _ => false,
            });
            expect(sent, "fewer than 50 packets")
        }
    };
    eventually_async("packets are counted", SOON, look).await;
}
