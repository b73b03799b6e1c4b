//! Adapter: a caller whose engine stamps every packet as it leaves and arrives.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use libwebrtc::ext::{self, Packet, Tap};
use livekit::{options::TrackPublishOptions, prelude::*};
use tests::{
    clips::SAMPLE_RATE,
    ears,
    livekit_server::{LivekitServer, Pass},
    microphone::{FRAME, Microphone},
    user::configure_engine,
};
use tokio::sync::mpsc;

use crate::Result;

/// Louder than this is the agent's voice: −50 dBFS.
const SPEECH_LEVEL: f32 = 0.003_16;
/// A pause of this length is the end of what was being said.
const PAUSE: Duration = Duration::from_millis(200);
/// Speech of the caller begins with the first 10 ms above this: −40 dBFS.
const ONSET_LEVEL: f32 = 0.01;
/// How long a packet sounds.
pub(crate) const PACKET: Duration = Duration::from_millis(20);
/// How finely the end of a voice is looked for: 1 ms.
const STEP: usize = SAMPLE_RATE as usize / 1_000;
/// What comes out of a decoder went into the encoder so long before (RFC 7845, section 4.2: 312 samples).
const LOOKAHEAD: Duration = Duration::from_micros(6_500);
/// Of Opus, whatever the sound's own rate (RFC 7587).
const RTP_RATE: f64 = 48_000.0;
/// Speech is under way when one of its packets came this close to a moment: two packet times.
const UNDER_WAY: Duration = Duration::from_millis(40);
/// Where the agent tells how long an answer took.
const LATENCY: &str = "agent.latency";
/// Packets kept for looking back: a minute.
const KEPT: usize = 3_000;

/// A packet of the agent's voice.
struct Heard {
    at: Instant,
    /// In samples of the RTP clock.
    timestamp: u32,
    /// How much of it is voice, from its beginning; zero = none.
    voice: Duration,
}

impl Heard {
    fn speaks(&self) -> bool {
        !self.voice.is_zero()
    }
}

/// A person with a microphone that sends nothing while nothing is said.
pub(crate) struct Caller {
    room: Room,
    events: mpsc::UnboundedReceiver<RoomEvent>,
    microphone: Microphone,
    sent: Tap,
    heard: Option<Tap>,
    ear: Ear,
}

/// What was said, and when.
pub(crate) struct Said {
    /// Its first 10 ms above −40 dBFS were spoken.
    pub(crate) onset: Instant,
    /// Its last 10 ms above −40 dBFS were spoken.
    pub(crate) last_sound: Instant,
    /// The last packet left, as the engine stamped it.
    pub(crate) last_packet: Instant,
}

/// What was heard so far, packet by packet.
struct Ear {
    decoder: opus::Decoder,
    packets: VecDeque<Heard>,
}

/// From the beginning of a sound to its last millisecond that can be heard as a voice.
pub(crate) fn voice_in(pcm: &[i16]) -> Duration {
    pcm.chunks(STEP)
        .rposition(|step| ears::level(step) > SPEECH_LEVEL)
        .map_or(Duration::ZERO, |last| {
            Duration::from_millis(last as u64 + 1)
        })
}

impl Caller {
    pub(crate) async fn join(livekit: &LivekitServer, room: &str) -> Result<Self> {
        configure_engine();
        let token = Pass::of("caller", room).token();
        let (room, events) = Room::connect(&livekit.url(), &token, RoomOptions::default()).await?;
        let microphone = Microphone::new(0);
        let sent = microphone.tap(KEPT);
        let options = TrackPublishOptions::default();
        microphone.publish(&room, options).await?;
        Ok(Self {
            room,
            events,
            microphone,
            sent,
            heard: None,
            ear: Ear::new()?,
        })
    }

    /// Waits for the agent's voice; when it was subscribed.
    pub(crate) async fn agent_track(&mut self, within: Duration) -> Option<Instant> {
        let subscribed = async {
            while let Some(event) = self.events.recv().await {
                if let RoomEvent::TrackSubscribed {
                    track: RemoteTrack::Audio(track),
                    ..
                } = event
                {
                    return Some(track);
                }
            }
            None
        };
        let track = tokio::time::timeout(within, subscribed).await.ok()??;
        self.heard = ext::tap_remote(&track.rtc_track(), KEPT);
        Some(Instant::now())
    }

    /// Says this in real time.
    pub(crate) async fn say(&mut self, pcm: &[i16]) -> Result<Said> {
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        let mut sounds: Option<(Instant, Instant)> = None;
        for chunk in pcm.chunks_exact(FRAME) {
            ticks.tick().await;
            if ears::level(chunk) > ONSET_LEVEL {
                let now = Instant::now();
                sounds = Some((sounds.map_or(now, |(onset, _)| onset), now));
            }
            self.microphone.capture(chunk).await?;
        }
        let mut last = self.sent.recv().await.ok_or("the microphone is gone")?;
        while let Some(packet) = self.sent.try_recv() {
            last = packet;
        }
        let (onset, last_sound) = sounds.ok_or("nothing to say")?;
        Ok(Said {
            onset,
            last_sound,
            last_packet: last.arrival,
        })
    }

    /// Only what the agent tells from now on counts.
    pub(crate) fn forget_latencies(&mut self) {
        while self.events.try_recv().is_ok() {}
    }

    /// What the agent tells of its next answer: last sound of people to its first sound, in
    /// milliseconds.
    pub(crate) async fn told_latency(&mut self, within: Duration) -> Option<f64> {
        let told = async {
            while let Some(event) = self.events.recv().await {
                if let RoomEvent::ParticipantAttributesChanged {
                    changed_attributes, ..
                } = event
                    && let Some(latency) = changed_attributes.get(LATENCY)
                {
                    let stages: serde_json::Value = serde_json::from_str(latency).ok()?;
                    return stages["total"].as_f64();
                }
            }
            None
        };
        tokio::time::timeout(within, told).await.ok()?
    }

    /// The arrival of the first packet of the agent after that moment.
    pub(crate) async fn first_packet_after(
        &mut self,
        moment: Instant,
        within: Duration,
    ) -> Option<Instant> {
        let tap = self.heard.as_mut()?;
        let ear = &mut self.ear;
        let first = async {
            loop {
                let packet = tap.recv().await?;
                ear.hear(&packet);
                if packet.arrival >= moment {
                    return Some(packet.arrival);
                }
            }
        };
        tokio::time::timeout(within, first).await.ok()?
    }

    /// The arrival of the last packet of the speech that was under way at that moment. None when
    /// nobody spoke then, for example between two words: such a turn interrupts nothing.
    pub(crate) fn speech_interrupted_at(&mut self, moment: Instant) -> Option<Instant> {
        if let Some(tap) = self.heard.as_mut() {
            while let Some(packet) = tap.try_recv() {
                self.ear.hear(&packet);
            }
        }
        let is_near = |packet: &&Heard| packet.at + UNDER_WAY >= moment;
        let mut speech = self.ear.packets.iter().filter(|packet| packet.speaks());
        let mut last = speech.find(is_near)?.at;
        if last > moment + UNDER_WAY {
            return None;
        }
        for packet in speech {
            if packet.at > last + PAUSE {
                break;
            }
            last = packet.at;
        }
        Some(last)
    }

    /// How long the agent was heard, from the packet that arrived at one moment to the end of the voice in
    /// the one that arrived at the other; by the clock of its samples, as a receiver plays them.
    pub(crate) fn heard_between(&self, first: Instant, last: Instant) -> Option<Duration> {
        let packet_at = |at: Instant| self.ear.packets.iter().find(|packet| packet.at == at);
        let (first, last) = (packet_at(first)?, packet_at(last)?);
        let ticks = last.timestamp.wrapping_sub(first.timestamp);
        let between = Duration::from_secs_f64(f64::from(ticks) / RTP_RATE);
        Some((between + last.voice).saturating_sub(LOOKAHEAD))
    }

    pub(crate) async fn leave(self) {
        let _ = self.room.close().await;
    }
}

impl Ear {
    fn new() -> Result<Self> {
        let decoder = opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono)?;
        Ok(Self {
            decoder,
            packets: VecDeque::new(),
        })
    }

    fn hear(&mut self, packet: &Packet) {
        let mut pcm = [0; 12 * FRAME];
        let samples = self
            .decoder
            .decode(&packet.payload, &mut pcm, false)
            .unwrap_or(0);
        if self.packets.len() == KEPT {
            self.packets.pop_front();
        }
        self.packets.push_back(Heard {
            at: packet.arrival,
            timestamp: packet.timestamp,
            voice: voice_in(&pcm[..samples]),
        });
    }
}
