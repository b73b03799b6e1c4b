//! One call: what both sides do, and what each must notice of the other.
//!
//! Every step waits for a condition with a deadline and writes what it saw on the sheet. Nothing here
//! knows which engine the other side stands on.

mod apart;
mod change;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value, json};
use tests::{
    clips::{self, Clip, SAMPLE_RATE, duration_of},
    ears,
};
use tokio::time::Instant;

use crate::{
    ours::Arrived,
    participant::{Loss, Packet, Participant, SMALL},
};

/// Two sides in one room.
pub(crate) struct Call {
    pub(crate) us: Participant,
    pub(crate) them: Participant,
    pub(crate) sheet: Sheet,
    /// Where recordings go when somebody was not heard.
    pub(crate) recordings: Option<PathBuf>,
    /// For each sentence: could it be told from what our paced stream played?
    pub(crate) played: Vec<bool>,
}

/// How much of the story is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// What fits into a quarter of a minute.
    Short,
    /// Also what each side does after it lost its connections.
    Whole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    We,
    They,
}

/// What was seen so far; stays when a step fails.
#[derive(Clone, Default)]
pub(crate) struct Sheet(Arc<Mutex<Map<String, Value>>>);

/// Long enough for a busy machine; nothing is judged by how soon it came.
const SOON: Duration = Duration::from_secs(20);
/// How often a condition is looked at: listening costs more than a look at a flag.
const LOOK: Duration = Duration::from_millis(150);
/// Longer than any hangover of a codec's speech detector.
const PAUSE: Duration = Duration::from_secs(3);
/// Silence after which what was said before it is no longer on its way.
const IN_FLIGHT: Duration = Duration::from_millis(500);
/// The largest message applications are advised to send in one piece, in bytes.
const LARGE: usize = 15_000;
/// Lossy messages per direction.
const LOSSY: u8 = 10;
/// Redundant audio (RFC 2198).
const RED: &str = "audio/red";
/// Characters of a text that needs several pieces.
const TEXT: usize = 60_000;

impl Call {
    /// The story.
    pub(crate) async fn play(&mut self, length: Length) -> Result<(), String> {
        self.meet().await?;
        self.exchange("first", "caller-goodbye", "agent-answered")
            .await?;
        self.data().await?;
        self.pause().await?;
        self.exchange("after_silence", "caller-time", "agent-failed")
            .await?;
        self.mute().await?;
        self.exchange("after_mute", "caller-name", "agent-you-wrote")
            .await?;
        if length == Length::Whole {
            self.losses().await?;
        }
        self.codecs().await
    }

    /// Each gets the other's track.
    async fn meet(&mut self) -> Result<(), String> {
        for (name, one) in [("us", &mut self.us), ("them", &mut self.them)] {
            soon(&format!("a track comes to {name}"), async || {
                let facts = one.facts().await?;
                let heard = one.position().await?;
                let seen = format!("{} tracks, {heard} samples", facts.tracks);
                (facts.tracks == 1 && heard > 0).then_some(()).ok_or(seen)
            })
            .await?;
        }
        Ok(())
    }

    /// Both speak at once; each must hear the other's words.
    async fn exchange(&mut self, step: &str, ours: &str, theirs: &str) -> Result<(), String> {
        let (ours, theirs) = (clips::clip(ours), clips::clip(theirs));
        let from = (self.us.position().await?, self.them.position().await?);
        let arrived_before = self.arrived().pcm.len();
        let (said, answered) = tokio::join!(self.us.say(&ours.pcm), self.them.say(&theirs.pcm));
        said.and(answered)?;
        let by_them = hears(&mut self.them, ours, from.1).await;
        self.sheet.put("heard_by_them", step, score(&by_them));
        if by_them.is_err() {
            let pcm = self.them.listen(from.1).await?;
            self.keep(&format!("{step}-them"), &pcm);
        }
        let by_us = soon("the words arrive", async || {
            let pcm = &self.arrived().pcm[arrived_before..];
            ears::likeness(pcm, theirs).ok_or_else(|| described(pcm))
        });
        let by_us = by_us.await;
        self.sheet.put("heard_by_us", step, score(&by_us));
        self.played(step, theirs, from.0).await?;
        by_them.map_err(|why| format!("{step}: they did not hear us: {why}"))?;
        by_us.map_err(|why| format!("{step}: we did not hear them: {why}"))?;
        Ok(())
    }

    /// The same words as our paced stream played them. Late packets of a busy machine may make it
    /// stretch one sentence beyond recognition; that counts in the end only.
    async fn played(&mut self, step: &str, theirs: &Clip, from: usize) -> Result<(), String> {
        let now = self.us.position().await?;
        hears_for(&mut self.us, now, IN_FLIGHT, "us").await?;
        let pcm = self.us.listen(from).await?;
        let played = ears::likeness(&pcm, theirs).ok_or_else(String::new);
        self.sheet.put("played_by_us", step, score(&played));
        if played.is_err() {
            self.keep(&format!("{step}-us"), &pcm);
        }
        self.played.push(played.is_ok());
        Ok(())
    }

    fn arrived(&mut self) -> Arrived {
        let ours = self.us.ours();
        ours.map(|ours| ours.arrived()).unwrap_or_default()
    }

    /// Writes down what was heard instead, for somebody to listen to.
    fn keep(&self, name: &str, pcm: &[i16]) {
        let Some(folder) = &self.recordings else {
            return;
        };
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let _ = std::fs::create_dir_all(folder);
        let file = folder.join(format!("{name}.wav"));
        let Ok(mut wav) = hound::WavWriter::create(file, spec) else {
            return;
        };
        for sample in pcm {
            let _ = wav.write_sample(*sample);
        }
    }

    /// Messages and a long text, each way, byte for byte.
    async fn data(&mut self) -> Result<(), String> {
        let Self {
            us, them, sheet, ..
        } = self;
        deliver(us, them)
            .await
            .map(|d| sheet.put("data", "to_them", d))?;
        deliver(them, us)
            .await
            .map(|d| sheet.put("data", "to_us", d))
    }

    /// Nobody says anything: both streams go on, silent.
    async fn pause(&mut self) -> Result<(), String> {
        let before = self.counts();
        let from = (self.us.position().await?, self.them.position().await?);
        for (name, one, from) in [
            ("us", &mut self.us, from.0),
            ("them", &mut self.them, from.1),
        ] {
            let pcm = hears_for(one, from, PAUSE, name).await?;
            // The last words may still have been on their way.
            let later = &pcm[pcm.len() / 3..];
            if ears::level(later) > ears::SOUND {
                return Err(format!("{name} heard {} in a pause", ears::level(later)));
            }
            let facts = one.facts().await?;
            if facts.lost_tracks > 0 {
                return Err(format!("the track to {name} ended in a pause"));
            }
        }
        let after = self.counts();
        let silence = json!({
            "seconds_at_least": PAUSE.as_secs(),
            "packets_to_us": after.0 - before.0,
            "packets_from_us": after.1,
        });
        self.sheet.set("silence", silence);
        Ok(())
    }

    /// Packets that came to us so far, and those we sent since the last look.
    fn counts(&mut self) -> (usize, usize) {
        let ours = self.us.ours();
        ours.map_or((0, 0), |ours| (ours.arrived().packets, ours.sent()))
    }

    /// What is said while muted is not heard; each learns of it.
    async fn mute(&mut self) -> Result<(), String> {
        self.us.mute(true).await?;
        self.them.mute(true).await?;
        self.know_of([true].as_slice()).await?;
        let from = (self.us.position().await?, self.them.position().await?);
        let secret = clips::clip("caller-wait");
        let (said, answered) = tokio::join!(self.us.say(&secret.pcm), self.them.say(&secret.pcm));
        said.and(answered)?;
        for (name, one, from) in [
            ("us", &mut self.us, from.0),
            ("them", &mut self.them, from.1),
        ] {
            let now = one.position().await?;
            hears_for(one, now, IN_FLIGHT, name).await?;
            if let Some(heard) = ears::find(&one.listen(from).await?, secret) {
                return Err(format!("{name} heard what was said muted: {heard:?}"));
            }
        }
        self.us.mute(false).await?;
        self.them.mute(false).await?;
        self.know_of(&[true, false]).await?;
        self.sheet.set("mute", json!("both ways"));
        Ok(())
    }

    async fn know_of(&mut self, mutes: &[bool]) -> Result<(), String> {
        for (name, one) in [("us", &mut self.us), ("them", &mut self.them)] {
            soon(&format!("{name} knows of {mutes:?}"), async || {
                let facts = one.facts().await?;
                let seen = format!("{:?}", facts.mutes);
                (facts.mutes == mutes).then_some(()).ok_or(seen)
            })
            .await?;
        }
        Ok(())
    }

    /// Each side loses its signals, then everything, and both hear each other again.
    async fn losses(&mut self) -> Result<(), String> {
        self.lose(Side::We, Loss::Signals, "after_our_resume")
            .await?;
        self.lose(Side::They, Loss::Signals, "after_their_resume")
            .await?;
        self.lose(Side::We, Loss::Everything, "after_our_return")
            .await?;
        self.lose(Side::They, Loss::Everything, "after_their_return")
            .await
    }

    async fn lose(&mut self, side: Side, loss: Loss, step: &str) -> Result<(), String> {
        let before = (self.us.facts().await?, self.them.facts().await?);
        let (one, times) = match side {
            Side::We => (&mut self.us, before.0.reconnected),
            Side::They => (&mut self.them, before.1.reconnected),
        };
        one.reconnect(loss).await?;
        soon(&format!("{step}: reconnected"), async || {
            let now = one.facts().await?.reconnected;
            (now > times)
                .then_some(())
                .ok_or_else(|| format!("{now} times"))
        })
        .await?;
        let new = usize::from(loss == Loss::Everything);
        for (name, one, tracks) in [
            ("us", &mut self.us, before.0.tracks),
            ("them", &mut self.them, before.1.tracks),
        ] {
            soon(&format!("{step}: a track comes to {name}"), async || {
                let now = one.facts().await?.tracks;
                (now == tracks + new)
                    .then_some(())
                    .ok_or_else(|| format!("{now} tracks"))
            })
            .await?;
        }
        self.exchange(step, "caller-goodbye", "agent-answered")
            .await
    }

    /// What travelled: as the server announced it, and as the statistics of both sides name it.
    async fn codecs(&mut self) -> Result<(), String> {
        let (us, them) = (self.us.facts().await?, self.them.facts().await?);
        let arrived = self.arrived();
        let codecs = json!({
            "they_send": them.sends,
            "announced_to_us": us.told,
            "we_receive": us.receives,
            "we_send": us.sends,
            "announced_to_them": them.told,
            "they_receive": them.receives,
        });
        self.sheet.set("codecs", codecs);
        // They publish with redundancy by default; the server takes it out for who did not ask.
        let red = json!({
            "they_publish": us.told == RED,
            "comes_to_us": us.receives.contains(RED),
            "we_publish": them.told == RED,
        });
        self.sheet.set("red", red);
        self.sheet
            .set("packets_heard_by_us", arrived.packets.into());
        if arrived.undecoded > 0 {
            return Err(format!("{} packets are no Opus", arrived.undecoded));
        }
        let well = self.played.iter().filter(|played| **played).count();
        if 2 * well < self.played.len() {
            return Err(format!(
                "our stream played {well} sentences of {}",
                self.played.len()
            ));
        }
        Ok(())
    }
}

/// They leave; we learn of it.
pub(crate) async fn part(us: &mut Participant, them: Participant) -> Result<(), String> {
    let before = us.ours().map_or(0, |ours| ours.left());
    them.leave().await?;
    let Some(ours) = us.ours() else {
        return Ok(());
    };
    soon("we know that they left", async || {
        let left = ours.left();
        (left == before + 1)
            .then_some(())
            .ok_or_else(|| format!("{left} left"))
    })
    .await
}

async fn deliver(from: &mut Participant, to: &mut Participant) -> Result<Value, String> {
    let (packets, texts) = to.inbox().await?;
    let (first, first_text) = (packets.len(), texts.len());
    let reliable = [packet(32, 0, true), packet(LARGE, 1, true)];
    let lossy: Vec<Packet> = (0..LOSSY).map(|n| packet(SMALL, n, false)).collect();
    let text: String = (0..).map(|n| format!("{n} ")).take(TEXT / 5).collect();
    for packet in reliable.iter().chain(&lossy) {
        from.send(packet).await?;
    }
    from.write(&text).await?;
    let of = |packets: &[Packet], reliable: bool| {
        let some = packets[first..].iter().filter(|p| p.reliable == reliable);
        some.cloned().collect::<Vec<_>>()
    };
    let arrived = soon("reliable messages and the text arrive", async || {
        let (packets, texts) = to.inbox().await?;
        let seen = format!("{} messages, {} texts", packets.len(), texts.len());
        let whole = of(&packets, true).len() >= reliable.len() && texts.len() > first_text;
        whole.then_some((packets, texts)).ok_or(seen)
    });
    let (packets, texts) = arrived.await?;
    if of(&packets, true) != reliable {
        return Err("reliable messages arrived changed".to_owned());
    }
    if texts[first_text..] != [text] {
        return Err("the text arrived changed".to_owned());
    }
    let few = of(&packets, false);
    if few.is_empty() || !few.iter().all(|packet| lossy.contains(packet)) {
        return Err(format!("of {LOSSY} lossy messages {} arrived", few.len()));
    }
    Ok(json!({
        "reliable_bytes": [32, LARGE],
        "lossy": format!("{} of {LOSSY}", few.len()),
        "text_bytes": texts[first_text].len(),
    }))
}

/// Bytes that no two messages share.
fn packet(length: usize, seed: u8, reliable: bool) -> Packet {
    let byte = |n: usize| (n as u8).wrapping_mul(31) ^ (n >> 8) as u8 ^ seed;
    Packet {
        payload: (0..length).map(byte).collect(),
        reliable,
    }
}

/// Waits until this clip is heard after that sample; tells how alike it was.
async fn hears(one: &mut Participant, clip: &Clip, from: usize) -> Result<f32, String> {
    soon(&format!("{} is heard", clip.name), async || {
        let pcm = one.listen(from).await?;
        ears::likeness(&pcm, clip).ok_or_else(|| described(&pcm))
    })
    .await
}

/// What was heard instead.
fn described(pcm: &[i16]) -> String {
    let all = clips::of_agent().chain(clips::of_callers());
    let best = ears::best_of(pcm, all);
    let (length, level) = (duration_of(pcm.len()), ears::level(pcm));
    format!("{best:?} in {length:?} at level {level:.4}")
}

/// Waits until there is so much more to listen to, and gives it.
async fn hears_for(
    one: &mut Participant,
    from: usize,
    length: Duration,
    name: &str,
) -> Result<Vec<i16>, String> {
    let samples = clips::samples_in(length);
    soon(&format!("the sound to {name} goes on"), async || {
        let got = one.position().await?.saturating_sub(from);
        let seen = format!("{got} samples at {SAMPLE_RATE} Hz");
        (got >= samples).then_some(()).ok_or(seen)
    })
    .await?;
    one.listen(from).await
}

/// Looks until there is something, or says what was seen last.
async fn soon<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, String>,
) -> Result<T, String> {
    let deadline = Instant::now() + SOON;
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(seen) if Instant::now() > deadline => {
                return Err(format!("not within {SOON:?}: {what}; last seen: {seen}"));
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

fn score(heard: &Result<f32, String>) -> Value {
    match heard {
        Ok(score) => json!((f64::from(*score) * 100.0).round() / 100.0),
        Err(_) => json!(false),
    }
}

impl Sheet {
    pub(crate) fn set(&self, name: &str, value: Value) {
        self.change(|map| drop(map.insert(name.to_owned(), value)));
    }

    /// One more fact under a heading.
    pub(crate) fn put(&self, heading: &str, name: &str, value: Value) {
        self.change(|map| {
            let group = map.entry(heading).or_insert_with(|| json!({}));
            group[name] = value;
        });
    }

    /// Everything on it.
    pub(crate) fn value(&self) -> Map<String, Value> {
        let mut all = Map::new();
        self.change(|map| all.clone_from(map));
        all
    }

    fn change(&self, change: impl FnOnce(&mut Map<String, Value>)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
