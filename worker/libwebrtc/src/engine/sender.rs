//! The way of a local track: frame → encoder → packet → connection → socket, all within the call
//! of whoever captured the frame. No queue, no tick, no other thread.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
    },
    time::Instant,
};

use parking_lot::Mutex;
use str0m::media::Mid;

use super::{link::Link, track::AudioTrack};
use crate::audio::{
    encode::{EncodedPacket, EncoderSettings, TrackEncoder},
    rtp::AudioPacket,
    source::CaptureSink,
};

/// Sends one local track over one connection.
pub(crate) struct SendSink {
    track: Arc<AudioTrack>,
    link: Weak<Link>,
    /// Lets the source forget us.
    this: Weak<Self>,
    /// The section to send in; `None` while none is negotiated.
    route: Mutex<Option<Mid>>,
    dtx: AtomicBool,
    loss: AtomicU8,
    active: AtomicBool,
    /// Bits per second; 0 leaves it to the codec.
    bitrate: AtomicU32,
    /// Held while a frame is encoded and sent, so never taken under another lock of the engine.
    line: Mutex<Line>,
}

struct Line {
    encoder: TrackEncoder,
    meter: LevelMeter,
    /// Packets of the present frame; kept for its memory.
    packets: Vec<EncodedPacket>,
    /// Packets sent so far: the tap's sequence number.
    sequence: u64,
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
            sequence: 0,
            time: None,
        };
        Arc::new_cyclic(|this| Self {
            track,
            link,
            this: this.clone(),
            route: Mutex::new(None),
            dtx: AtomicBool::new(false),
            loss: AtomicU8::new(0),
            active: AtomicBool::new(true),
            bitrate: AtomicU32::new(limit(bitrate)),
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

    pub(crate) fn set_dtx(&self, dtx: bool) {
        self.dtx.store(dtx, Ordering::Relaxed);
    }

    pub(crate) fn set_loss(&self, percent: u8) {
        self.loss.store(percent, Ordering::Relaxed);
    }

    pub(crate) fn set_encoding(&self, active: bool, max_bitrate: Option<u64>) {
        self.active.store(active, Ordering::Relaxed);
        self.bitrate.store(limit(max_bitrate), Ordering::Relaxed);
    }

    fn send(&self, now: Instant, mid: Mid, line: &mut Line) {
        let Some(link) = self.link.upgrade() else {
            return;
        };
        let level = line.meter.take();
        for packet in &line.packets {
            let time = extend(line.time, packet.timestamp);
            line.time = Some(time);
            let out = Outgoing {
                time,
                marker: packet.marker,
                level,
                payload: &packet.payload,
            };
            let sent = link.with(|connection, now| connection.write_audio(now, mid, &out));
            if !matches!(sent, Ok(true)) {
                continue;
            }
            line.sequence += 1;
            self.tell_taps(now, level, line.sequence, packet);
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
        line.encoder.set_loss(self.loss.load(Ordering::Relaxed));
        let bitrate = self.bitrate.load(Ordering::Relaxed);
        line.encoder.set_bitrate((bitrate > 0).then_some(bitrate));
        if enabled {
            line.meter.add(pcm);
        }
        line.packets.clear();
        line.encoder
            .push(now, pcm, sample_rate, channels, &mut line.packets);
        if !line.packets.is_empty() {
            self.send(now, mid, line);
        }
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

/// Loudness of what goes into a packet (RFC 6464: dBov, −127 is silence).
#[derive(Default)]
struct LevelMeter {
    energy: f64,
    samples: u32,
}

impl LevelMeter {
    fn add(&mut self, pcm: &[i16]) {
        let energy: i64 = pcm
            .iter()
            .map(|&sample| i64::from(sample) * i64::from(sample))
            .sum();
        self.energy += energy as f64;
        self.samples += pcm.len() as u32;
    }

    fn take(&mut self) -> i8 {
        let Self { energy, samples } = std::mem::take(self);
        if energy == 0.0 {
            return -127;
        }
        let full_scale = f64::from(i16::MAX) * f64::from(i16::MAX);
        let level = 10.0 * (energy / f64::from(samples) / full_scale).log10();
        level.clamp(-127.0, 0.0) as i8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_is_zero_for_full_scale_and_lowest_for_silence() {
        let mut meter = LevelMeter::default();
        meter.add(&[i16::MAX; 480]);
        assert_eq!(meter.take(), 0);
        meter.add(&[3_276; 480]);
        assert_eq!(meter.take(), -20);
        meter.add(&[0; 480]);
        assert_eq!(meter.take(), -127);
        assert_eq!(meter.take(), -127);
    }

    #[test]
    fn rtp_time_goes_on_over_its_wrap() {
        let first = extend(None, u32::MAX - 99);
        assert_eq!(extend(Some(first), 860), u64::from(u32::MAX) + 861);
    }
}
