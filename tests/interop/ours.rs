//! Task: a participant on our engine, through the unmodified room library, in this process.
//!
//! It listens twice: to the paced stream, as any user of the library does, and to the packets as
//! they arrive. Records and does not judge.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use libwebrtc::ext::{self, Tap};
use livekit::{
    SendTextOptions, SimulateScenario, StreamReader,
    e2ee::{
        E2eeOptions, EncryptionType,
        key_provider::{KeyProvider, KeyProviderOptions},
    },
    options::TrackPublishOptions,
    prelude::*,
    webrtc::{
        audio_stream::native::{NativeAudioStream, NativeAudioStreamOptions},
        native::frame_cryptor::EncryptionState,
        stats::RtcStats,
    },
};
use tests::{
    clips::{SAMPLE_RATE, duration_of},
    microphone::{self, Microphone},
    user::{configure_engine, sealing},
};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use crate::participant::{Facts, Keys, Loss, Packet};

/// A person at a microphone.
pub(crate) struct Ours {
    room: Room,
    microphone: Microphone,
    publication: LocalTrackPublication,
    sent: Tap,
    notes: Notes,
    _tasks: JoinSet<()>,
}

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Noticed>>);

/// Everything noticed so far.
#[derive(Default)]
struct Noticed {
    paced: Vec<i16>,
    arrived: Arrived,
    packets: Vec<Packet>,
    texts: Vec<String>,
    facts: Facts,
    left: usize,
}

/// Sound decoded packet by packet on arrival, without the pauses between packets.
#[derive(Clone, Default)]
pub(crate) struct Arrived {
    pub(crate) pcm: Vec<i16>,
    pub(crate) packets: usize,
    /// Packets that are no Opus.
    pub(crate) undecoded: usize,
}

/// Sound that waits in the microphone, in milliseconds: more would make a speaker late.
const QUEUE_MS: u32 = 100;
/// Frames of 10 ms the recorder may fall behind on a busy machine.
const PACED_QUEUE: usize = 500;
/// Packets that wait for whoever counts them.
const TAP: usize = 4_096;
const TOPIC: &str = "interop";

impl Ours {
    /// With keys everything is encrypted end to end.
    pub(crate) async fn join(
        url: &str,
        token: &str,
        single: bool,
        keys: Keys,
    ) -> Result<Self, String> {
        configure_engine();
        let mut options = RoomOptions::default();
        options.single_peer_connection = single;
        options.encryption = encryption(keys);
        let joined = Room::connect(url, token, options).await.map_err(text)?;
        let (room, events) = joined;
        if room.is_single_peer_connection_active() != single {
            return Err("the other mode was chosen".to_owned());
        }
        let notes = Notes::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(watch(events, notes.clone()));
        let microphone = Microphone::new(QUEUE_MS);
        let sent = microphone.tap(TAP);
        let publication = microphone.publish(&room, TrackPublishOptions::default());
        Ok(Self {
            publication: publication.await.map_err(text)?,
            room,
            microphone,
            sent,
            notes,
            _tasks: tasks,
        })
    }

    /// Returns when the last sample has left.
    pub(crate) async fn say(&self, pcm: &[i16]) -> Result<(), String> {
        let started = Instant::now();
        for chunk in pcm.chunks(microphone::FRAME) {
            self.microphone.capture(chunk).await.map_err(text)?;
        }
        let queue = Duration::from_millis(QUEUE_MS.into());
        tokio::time::sleep_until(started + duration_of(pcm.len()) + queue).await;
        Ok(())
    }

    pub(crate) fn listen(&self, since: usize) -> Vec<i16> {
        let notes = self.notes.lock();
        notes.paced.get(since..).unwrap_or_default().to_vec()
    }

    pub(crate) fn position(&self) -> usize {
        self.notes.lock().paced.len()
    }

    /// What came packet by packet so far.
    pub(crate) fn arrived(&self) -> Arrived {
        self.notes.lock().arrived.clone()
    }

    /// Packets of the microphone since the last look.
    pub(crate) fn sent(&mut self) -> usize {
        std::iter::from_fn(|| self.sent.try_recv()).count()
    }

    pub(crate) fn mute(&self, on: bool) {
        match on {
            true => self.publication.mute(),
            false => self.publication.unmute(),
        }
    }

    pub(crate) async fn send(&self, packet: &Packet) -> Result<(), String> {
        let packet = DataPacket {
            payload: packet.payload.clone(),
            reliable: packet.reliable,
            topic: Some(TOPIC.to_owned()),
            ..Default::default()
        };
        let local = self.room.local_participant();
        local.publish_data(packet).await.map_err(text)
    }

    pub(crate) async fn write(&self, line: &str) -> Result<(), String> {
        let options = SendTextOptions::new_with_topic(TOPIC);
        let local = self.room.local_participant();
        local.send_text(line, options).await.map_err(text)?;
        Ok(())
    }

    pub(crate) async fn reconnect(&self, loss: Loss) -> Result<(), String> {
        let scenario = match loss {
            Loss::Signals => SimulateScenario::SignalReconnect,
            Loss::Everything => SimulateScenario::FullReconnect,
        };
        self.room.simulate_scenario(scenario).await.map_err(text)
    }

    /// Sets somebody's key at an index; our own is used from now on.
    pub(crate) fn set_key(&self, whose: &str, key: &str, at: u8) -> Result<(), String> {
        let keys = self.keys()?;
        // Messages are sealed with what is set at this index, whoever's it was.
        if !keys.set_key(&whose.to_owned().into(), at.into(), key.into()) {
            return Err("the key was not taken".to_owned());
        }
        let identity = self.room.local_participant().identity();
        if whose == identity.as_str() {
            let cryptors = self.room.e2ee_manager().frame_cryptors();
            let own = cryptors.iter().filter(|((who, _), _)| *who == identity);
            own.for_each(|(_, cryptor)| cryptor.set_key_index(at.into()));
        }
        Ok(())
    }

    /// Moves our own key one step down its chain.
    pub(crate) fn ratchet(&self, at: u8) -> Result<(), String> {
        let identity = self.room.local_participant().identity();
        let next = self.keys()?.ratchet_key(&identity, at.into());
        next.map(drop).ok_or_else(|| "no key to move on".to_owned())
    }

    fn keys(&self) -> Result<KeyProvider, String> {
        let keys = self.room.e2ee_manager().key_provider();
        keys.ok_or_else(|| "nothing is encrypted".to_owned())
    }

    pub(crate) fn inbox(&self) -> (Vec<Packet>, Vec<String>) {
        let notes = self.notes.lock();
        (notes.packets.clone(), notes.texts.clone())
    }

    pub(crate) async fn facts(&self) -> Result<Facts, String> {
        let stats = self.room.get_stats().await.map_err(text)?;
        let entries: Vec<RtcStats> = stats
            .publisher_stats
            .into_iter()
            .chain(stats.subscriber_stats)
            .collect();
        let mut facts = self.notes.lock().facts.clone();
        (facts.sends, facts.receives) = codecs(&entries);
        Ok(facts)
    }

    /// People who have left so far.
    pub(crate) fn left(&self) -> usize {
        self.notes.lock().left
    }

    pub(crate) async fn leave(self) -> Result<(), String> {
        self.room.close().await.map_err(text)
    }
}

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Noticed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn watch(mut events: mpsc::UnboundedReceiver<RoomEvent>, notes: Notes) {
    let mut tasks = JoinSet::new();
    while let Some(event) = events.recv().await {
        match event {
            RoomEvent::TrackSubscribed {
                track: RemoteTrack::Audio(track),
                publication,
                ..
            } => {
                let facts = &mut notes.lock().facts;
                facts.tracks += 1;
                facts.told = publication.mime_type();
                let place = facts.tracks;
                tasks.spawn(record_paced(track.clone(), place, notes.clone()));
                tasks.spawn(record_arrivals(track, notes.clone()));
            }
            RoomEvent::TrackUnsubscribed { .. } => notes.lock().facts.lost_tracks += 1,
            RoomEvent::TrackMuted {
                participant: Participant::Remote(_),
                ..
            } => notes.lock().facts.mutes.push(true),
            RoomEvent::TrackUnmuted {
                participant: Participant::Remote(_),
                ..
            } => notes.lock().facts.mutes.push(false),
            RoomEvent::DataReceived { payload, kind, .. } => notes.lock().packets.push(Packet {
                payload: payload.to_vec(),
                reliable: kind == DataPacketKind::Reliable,
            }),
            RoomEvent::TextStreamOpened { reader, .. } => {
                if let Some(reader) = reader.take() {
                    let notes = notes.clone();
                    tasks.spawn(async move {
                        if let Ok(line) = reader.read_all().await {
                            notes.lock().texts.push(line);
                        }
                    });
                }
            }
            RoomEvent::E2eeStateChanged {
                state: EncryptionState::DecryptionFailed,
                ..
            } => notes.lock().facts.unopened += 1,
            RoomEvent::E2eeStateChanged {
                state: EncryptionState::KeyRatcheted,
                ..
            } => notes.lock().facts.followed += 1,
            RoomEvent::Reconnected => notes.lock().facts.reconnected += 1,
            RoomEvent::ParticipantDisconnected(_) => notes.lock().left += 1,
            _ => {}
        }
    }
}

fn encryption(keys: Keys) -> Option<E2eeOptions> {
    match keys {
        Keys::None => None,
        Keys::Shared(key) => Some(sealing(key)),
        Keys::Own(keys) => {
            let key_provider = KeyProvider::new(KeyProviderOptions::default());
            for (whose, key) in keys {
                key_provider.set_key(&(*whose).to_owned().into(), 0, (*key).into());
            }
            Some(E2eeOptions {
                encryption_type: EncryptionType::Gcm,
                key_provider,
            })
        }
    }
}

/// Until another track takes its place: this one may go on in silence.
async fn record_paced(track: RemoteAudioTrack, place: usize, notes: Notes) {
    let options = NativeAudioStreamOptions {
        queue_size_frames: Some(PACED_QUEUE),
    };
    let rate = SAMPLE_RATE as i32;
    let mut stream = NativeAudioStream::with_options(track.rtc_track(), rate, 1, options);
    while let Some(frame) = stream.next().await {
        let mut notes = notes.lock();
        if notes.facts.tracks != place {
            return;
        }
        notes.paced.extend_from_slice(&frame.data);
    }
}

async fn record_arrivals(track: RemoteAudioTrack, notes: Notes) {
    let Some(mut tap) = ext::tap_remote(&track.rtc_track(), TAP) else {
        return;
    };
    let mut decoder =
        opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono).expect("a rate that Opus knows");
    while let Some(packet) = tap.recv().await {
        let mut pcm = [0i16; 2_880];
        let decoded = decoder.decode(&packet.payload, &mut pcm, false);
        let arrived = &mut notes.lock().arrived;
        arrived.packets += 1;
        match decoded {
            Ok(length) => arrived.pcm.extend_from_slice(&pcm[..length]),
            Err(_) => arrived.undecoded += 1,
        }
    }
}

/// Media types of what is sent and received, by the statistics.
fn codecs(entries: &[RtcStats]) -> (String, String) {
    let name = |wanted: &str| {
        let found = entries.iter().find_map(|entry| match entry {
            RtcStats::Codec(codec) if codec.rtc.id == wanted => Some(codec.codec.mime_type.clone()),
            _ => None,
        });
        found.unwrap_or_default()
    };
    let sends = entries.iter().filter_map(|entry| match entry {
        RtcStats::OutboundRtp(out) => Some(name(&out.stream.codec_id)),
        _ => None,
    });
    let receives = entries.iter().filter_map(|entry| match entry {
        RtcStats::InboundRtp(inbound) => Some(name(&inbound.stream.codec_id)),
        _ => None,
    });
    let joined = |names: Vec<String>| names.join(", ");
    (joined(sends.collect()), joined(receives.collect()))
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
