//! The way of a local track: frame → encoder → packet → connection → socket, all within the call
//! of whoever captured the frame. No queue, no tick, no other thread.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use str0m::media::Mid;

use super::{cryptor::Cryptor, link::Link, track::AudioTrack, wire};
use crate::audio::{
    encode::{EncodedPacket, EncoderSettings, TrackEncoder},
    rate::{HopReport, RateControl, RatePlan},
    rtp::AudioPacket,
    source::{CaptureSink, Recorded},
};

/// Sends one local track over one connection.
pub(crate) struct SendSink {
    track: Arc<AudioTrack>,
    link: Weak<Link>,
    /// Lets the source forget us.
    this: Weak<Self>,
    /// The section to send in; `None` while none is negotiated.
    route: Mutex<Option<Mid>>,
    /// Seals what is sent; a leaf.
    cryptor: Mutex<Option<Arc<Cryptor>>>,
    dtx: AtomicBool,
    active: AtomicBool,
    /// Most bits per second that the application allows; 0 = it did not say.
    max_bitrate: AtomicU32,
    /// Bits per second in force; 0 = the codec's choice.
    bitrate: AtomicU32,
    /// Fed by the connection, read with each frame; a leaf.
    rate: Mutex<RateControl>,
    /// What was captured so far; a leaf.
    loudness: Mutex<Loudness>,
    /// Held while a frame is encoded and sent, so never taken under another lock of the engine.
    line: Mutex<Line>,
}

struct Line {
    encoder: TrackEncoder,
    meter: LevelMeter,
    /// Packets of the present frame; kept for its memory.
    packets: Vec<EncodedPacket>,
    /// The packet that was sealed last; kept for its memory.
    sealed: Vec<u8>,
    /// RTP sequence number of the last packet on the wire, without its wrap.
    sequence: Option<u64>,
    /// RTP time without its wrap.
    time: Option<u64>,
}

/// One packet on its way to the connection.
pub(crate) struct Outgoing<'a> {
    /// RTP time at 48 kHz, extended beyond 32 bits.
    pub(crate) time: u64,
    pub(crate) marker: bool,
    /// In dBov.
    pub(crate) level: i8,
    pub(crate) payload: &'a [u8],
}

impl SendSink {
    pub(crate) fn new(track: Arc<AudioTrack>, bitrate: Option<u64>, link: Weak<Link>) -> Arc<Self> {
        let encoder = TrackEncoder::new(EncoderSettings::default());
        let line = Line {
            encoder,
            meter: LevelMeter::default(),
            packets: Vec::new(),
            sealed: Vec::new(),
            sequence: None,
            time: None,
        };
        Arc::new_cyclic(|this| Self {
            track,
            link,
            this: this.clone(),
            route: Mutex::new(None),
            cryptor: Mutex::new(None),
            dtx: AtomicBool::new(false),
            active: AtomicBool::new(true),
            max_bitrate: AtomicU32::new(limit(bitrate)),
            bitrate: AtomicU32::new(0),
            rate: Mutex::new(RateControl::new(super::fec())),
            loudness: Mutex::default(),
            line: Mutex::new(line),
        })
    }

    pub(crate) fn attach(&self) {
        if let (Some(source), Some(this)) = (self.track.source(), self.this.upgrade()) {
            let sink: Arc<dyn CaptureSink> = this;
            source.add_sink(&sink);
        }
    }

    pub(crate) fn detach(&self) {
        if let (Some(source), Some(this)) = (self.track.source(), self.this.upgrade()) {
            let sink: Arc<dyn CaptureSink> = this;
            source.remove_sink(&sink);
        }
    }

    pub(crate) fn set_route(&self, mid: Option<Mid>) {
        *self.route.lock() = mid;
    }

    /// `None` = nothing is sealed.
    pub(crate) fn set_cryptor(&self, cryptor: Option<Arc<Cryptor>>) {
        // What it owns may run code of its own when dropped: never under our lock.
        let _old = std::mem::replace(&mut *self.cryptor.lock(), cryptor);
    }

    pub(crate) fn set_dtx(&self, dtx: bool) {
        self.dtx.store(dtx, Ordering::Relaxed);
    }

    /// How long a connectivity check took on the hop to the peer.
    pub(crate) fn on_check(&self, now: Instant, round_trip: Duration) {
        self.rate.lock().on_check(now, round_trip);
    }

    /// What the peer reports about the hop to it.
    pub(crate) fn on_report(&self, now: Instant, report: HopReport) {
        self.rate.lock().on_report(now, report);
    }

    /// How packets are encoded now.
    pub(crate) fn plan(&self) -> RatePlan {
        self.rate.lock().plan()
    }

    /// Bits per second in force; 0 = the codec's choice.
    pub(crate) fn bitrate(&self) -> u32 {
        self.bitrate.load(Ordering::Relaxed)
    }

    pub(crate) fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    pub(crate) fn loudness(&self) -> Loudness {
        *self.loudness.lock()
    }

    pub(crate) fn set_encoding(&self, active: bool, max_bitrate: Option<u64>) {
        self.active.store(active, Ordering::Relaxed);
        self.max_bitrate
            .store(limit(max_bitrate), Ordering::Relaxed);
    }

    /// Sends the packets of the line.
    fn send(&self, now: Instant, mid: Mid, level: i8, line: &mut Line) {
        let Some(link) = self.link.upgrade() else {
            return;
        };
        let cryptor = self.cryptor.lock().clone();
        for packet in &line.packets {
            let time = extend(line.time, packet.timestamp);
            line.time = Some(time);
            let payload = match &cryptor {
                None => Some(&packet.payload[..]),
                Some(cryptor) => cryptor.seal(&packet.payload, &mut line.sealed),
            };
            let Some(payload) = payload else {
                continue;
            };
            let out = Outgoing {
                time,
                marker: packet.marker,
                level,
                payload,
            };
            let sent = link.with(|connection, now| connection.write_audio(now, mid, &out));
            let Ok(Some(sent)) = sent else {
                continue;
            };
            let sequence = wire::extend_sequence(line.sequence, sent.sequence);
            line.sequence = Some(sequence);
            self.tell_taps(now, level, sequence, packet);
        }
    }

    fn tell_taps(&self, now: Instant, level: i8, sequence: u64, packet: &EncodedPacket) {
        let Some(taps) = self.track.local_taps().filter(|taps| !taps.is_empty()) else {
            return;
        };
        taps.push(&AudioPacket {
            sequence,
            timestamp: packet.timestamp,
            arrival: now,
            marker: packet.marker,
            audio_level: Some(level),
            payload: packet.payload.clone(),
        });
    }
}

impl CaptureSink for SendSink {
    fn on_frame(&self, now: Instant, pcm: &[i16], sample_rate: u32, channels: u32) {
        let Some(mid) = *self.route.lock() else {
            return;
        };
        if !self.active.load(Ordering::Relaxed) {
            return;
        }
        let mut line = self.line.lock();
        let line = &mut *line;
        let enabled = self.track.enabled();
        line.encoder.set_muted(!enabled);
        line.encoder.set_dtx(self.dtx.load(Ordering::Relaxed));
        let limit = self.max_bitrate.load(Ordering::Relaxed);
        line.encoder.set_max_bitrate((limit > 0).then_some(limit));
        line.encoder.set_plan(self.plan());
        let energy = energy(pcm);
        if enabled {
            line.meter.add(energy, pcm.len());
        }
        self.loudness
            .lock()
            .add(energy, pcm.len(), sample_rate, channels);
        line.packets.clear();
        line.encoder
            .push(now, pcm, sample_rate, channels, &mut line.packets);
        let bitrate = line.encoder.bitrate().unwrap_or(0);
        self.bitrate.store(bitrate, Ordering::Relaxed);
        if !line.packets.is_empty() {
            let level = line.meter.take();
            self.send(now, mid, level, line);
        }
    }

    fn on_packet(&self, now: Instant, packet: &Recorded<'_>) {
        let Some(mid) = *self.route.lock() else {
            return;
        };
        if !self.active.load(Ordering::Relaxed) || !self.track.enabled() {
            return;
        }
        let mut line = self.line.lock();
        let placed = line.encoder.place(now, packet.payload, packet.ticks);
        line.packets.clear();
        line.packets.push(placed);
        self.send(now, mid, packet.level, &mut line);
    }

    fn on_clear(&self) {
        let mut line = self.line.lock();
        line.encoder.flush();
        line.meter = LevelMeter::default();
    }
}

fn limit(bitrate: Option<u64>) -> u32 {
    bitrate.map_or(0, |bitrate| u32::try_from(bitrate).unwrap_or(u32::MAX))
}

/// Continues a wrapping 32-bit time line in 64 bits.
fn extend(last: Option<u64>, timestamp: u32) -> u64 {
    match last {
        None => u64::from(timestamp),
        Some(last) => last + u64::from(timestamp.wrapping_sub(last as u32)),
    }
}

/// How loud captured sound was, in the units of `webrtc-stats`: 1 is full scale.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loudness {
    /// Of the last frame.
    pub(crate) level: f64,
    /// Squared level times seconds.
    pub(crate) energy: f64,
    pub(crate) duration: Duration,
    /// Samples per channel.
    pub(crate) samples: u64,
}

impl Loudness {
    /// `length` is that of the interleaved samples.
    fn add(&mut self, energy: f64, length: usize, sample_rate: u32, channels: u32) {
        if length == 0 || sample_rate == 0 || channels == 0 {
            return;
        }
        let squares = energy / length as f64 / (FULL_SCALE * FULL_SCALE);
        let samples = length as u64 / u64::from(channels);
        let duration = Duration::from_secs_f64(samples as f64 / f64::from(sample_rate));
        self.level = squares.sqrt();
        self.energy += squares * duration.as_secs_f64();
        self.duration += duration;
        self.samples += samples;
    }
}

const FULL_SCALE: f64 = i16::MAX as f64;

/// The sum of all samples squared.
fn energy(pcm: &[i16]) -> f64 {
    let square = |&sample: &i16| i64::from(sample) * i64::from(sample);
    pcm.iter().map(square).sum::<i64>() as f64
}

/// Loudness of what goes into a packet (RFC 6464: dBov, −127 is silence).
#[derive(Default)]
struct LevelMeter {
    energy: f64,
    samples: u32,
}

impl LevelMeter {
    fn add(&mut self, energy: f64, samples: usize) {
        self.energy += energy;
        self.samples += samples as u32;
    }

    fn take(&mut self) -> i8 {
        let Self { energy, samples } = std::mem::take(self);
        if energy == 0.0 {
            return -127;
        }
        let mean = energy / f64::from(samples) / (FULL_SCALE * FULL_SCALE);
        let level = 10.0 * mean.log10();
        level.clamp(-127.0, 0.0) as i8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_is_zero_for_full_scale_and_lowest_for_silence() {
        let mut meter = LevelMeter::default();
        let mut level_of = |sample| {
            meter.add(energy(&[sample; 480]), 480);
            meter.take()
        };
        assert_eq!(level_of(i16::MAX), 0);
        assert_eq!(level_of(3_276), -20);
        assert_eq!(level_of(0), -127);
        assert_eq!(meter.take(), -127);
    }

    #[test]
    fn loudness_adds_up_in_the_units_of_the_standard() {
        let mut loudness = Loudness::default();
        for _ in 0..100 {
            loudness.add(energy(&[i16::MAX / 2; 240]), 240, 24_000, 1);
        }
        assert!((loudness.level - 0.5).abs() < 1e-3);
        assert!((loudness.energy - 0.25).abs() < 1e-3);
        assert_eq!(loudness.duration, Duration::from_secs(1));
        assert_eq!(loudness.samples, 24_000);
    }

    #[test]
    fn rtp_time_goes_on_over_its_wrap() {
        let first = extend(None, u32::MAX - 99);
        assert_eq!(extend(Some(first), 860), u64::from(u32::MAX) + 861);
    }
}
