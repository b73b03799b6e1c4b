//! From PCM of one local track to Opus packets, the moment one is full: 20 ms, on a narrow hop 60.
//!
//! Owns the encoder, the half-filled frame and the RTP time line of one track. It has no tick and no
//! clock: who pushes paces. Nothing pushed means nothing encoded and nothing sent. Does not number
//! packets and does not know the network.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::{
    opus::{self, Effort, Encoder, Format},
    rate::RatePlan,
    resampler::{Resampler, convert_channels},
};

/// What time lines are rounded to: the usual packet.
const PACKET: Duration = Duration::from_millis(20);
/// The same on the RTP clock.
const PACKET_TICKS: u32 = 960;
/// RTP ticks of a millisecond (RFC 7587, 4.1).
const TICKS_PER_MILLI: u32 = 48;

/// A push that comes this much later than the audio before it ended begins a new talkspurt. 60 ms:
/// longer than a late tick on a busy machine, which must not tear the time line.
const PAUSE: Duration = Duration::from_millis(60);

/// In DTX one of the tiny packets goes out this often, so that the far end knows we are there.
const DTX_REFRESH: Duration = Duration::from_millis(400);
/// Memory that packets are made in, in bytes: any packet fits, and about twenty of speech.
const MEMORY: usize = 2_048;
/// Packets up to this size carry no sound (RFC 6716, 2.1.9: DTX).
const DTX_BYTES: usize = 2;

/// How a track is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderSettings {
    /// Most bits per second that the application allows. `None`: no limit for one voice, which is
    /// sent at the rate of the plan; what may be music is left to the codec.
    pub(crate) bitrate: Option<u32>,
    /// 0–10. 5: 6.8 ms of CPU per second of speech; above it nothing audible is gained for a voice.
    pub(crate) complexity: u8,
    /// The far end asked for `usedtx=1`.
    pub(crate) dtx: bool,
    /// First RTP timestamp; should be random (RFC 3550, 5.1).
    pub(crate) first_timestamp: u32,
}

impl Default for EncoderSettings {
    fn default() -> Self {
        Self {
            bitrate: None,
            complexity: 5,
            dtx: false,
            first_timestamp: rand::random(),
        }
    }
}

/// One packet ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EncodedPacket {
    /// On the 48 kHz RTP clock.
    pub(crate) timestamp: u32,
    /// First packet after a pause.
    pub(crate) marker: bool,
    /// The Opus packet.
    pub(crate) payload: Bytes,
}

/// Encodes one local track.
pub(crate) struct TrackEncoder {
    effort: Effort,
    plan: RatePlan,
    max_bitrate: Option<u32>,
    input: Option<Input>,
    /// Less than one packet of samples in the encoder's format.
    pending: Vec<i16>,
    timestamp: u32,
    /// When the audio encoded so far ends in real time; `None` before the first push.
    due: Option<Instant>,
    marker: bool,
    muted: bool,
    last_sent: Option<Instant>,
    /// Where packets are made: its memory is used again when nobody holds an old one any more.
    memory: BytesMut,
}

/// What the pushed frames look like, and the machinery made for it.
struct Input {
    sample_rate: u32,
    channels: u32,
    format: Format,
    resampler: Option<Resampler>,
    encoder: Encoder,
}

impl TrackEncoder {
    pub(crate) fn new(settings: EncoderSettings) -> Self {
        Self {
            effort: Effort {
                bitrate: settings.bitrate,
                complexity: settings.complexity,
                dtx: settings.dtx,
                loss_percent: 0,
            },
            plan: RatePlan::default(),
            max_bitrate: settings.bitrate,
            input: None,
            pending: Vec::new(),
            timestamp: settings.first_timestamp,
            due: None,
            marker: true,
            muted: false,
            last_sent: None,
            memory: BytesMut::new(),
        }
    }

    /// Takes interleaved samples and appends every packet that is complete now to `out`.
    pub(crate) fn push(
        &mut self,
        now: Instant,
        pcm: &[i16],
        sample_rate: u32,
        channels: u32,
        out: &mut Vec<EncodedPacket>,
    ) {
        if pcm.is_empty() || !self.prepare(sample_rate, channels) {
            return;
        }
        self.complete_stale(now, out);
        if self.pending.is_empty() {
            self.begin(now);
        }
        self.append(pcm);
        self.encode_complete(now, out);
    }

    /// Places a packet that somebody else encoded on the time line; a half-filled one is dropped.
    pub(crate) fn place(&mut self, now: Instant, payload: &[u8], ticks: u32) -> EncodedPacket {
        self.flush();
        self.begin(now);
        let packet = EncodedPacket {
            timestamp: self.timestamp,
            marker: std::mem::take(&mut self.marker),
            payload: Bytes::copy_from_slice(payload),
        };
        self.timestamp = self.timestamp.wrapping_add(ticks);
        self.due = self.due.map(|due| due + millis(ticks / TICKS_PER_MILLI));
        packet
    }

    /// Drops a half-filled packet: it never leaves.
    pub(crate) fn flush(&mut self) {
        self.pending.clear();
        if let Some(resampler) = self
            .input
            .as_mut()
            .and_then(|input| input.resampler.as_mut())
        {
            resampler.reset();
        }
    }

    /// While muted, whatever is pushed is encoded as silence.
    pub(crate) fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
        if muted {
            self.pending.fill(0);
        }
    }

    /// Bitrate of a voice, redundancy and length of packets from the next one on.
    pub(crate) fn set_plan(&mut self, plan: RatePlan) {
        if self.plan != plan {
            self.plan = plan;
            self.follow_plan();
        }
    }

    /// Whether silence may be left out.
    pub(crate) fn set_dtx(&mut self, dtx: bool) {
        self.change_effort(|effort| effort.dtx = dtx);
    }

    /// Most bits per second that the application allows.
    pub(crate) fn set_max_bitrate(&mut self, bitrate: Option<u32>) {
        if self.max_bitrate != bitrate {
            self.max_bitrate = bitrate;
            self.follow_plan();
        }
    }

    /// Bits per second in force; `None` = the codec's choice.
    pub(crate) fn bitrate(&self) -> Option<u32> {
        self.effort.bitrate
    }

    fn follow_plan(&mut self) {
        let Some(format) = self.input.as_ref().map(|input| input.format) else {
            return;
        };
        let (plan, bitrate) = (self.plan, self.allowed(format));
        self.change_effort(|effort| {
            effort.loss_percent = plan.loss_percent;
            effort.bitrate = bitrate;
        });
    }

    fn allowed(&self, format: Format) -> Option<u32> {
        if !format.is_voice() {
            return self.max_bitrate;
        }
        let planned = self.plan.bitrate;
        Some(self.max_bitrate.map_or(planned, |max| max.min(planned)))
    }

    fn change_effort(&mut self, change: impl FnOnce(&mut Effort)) {
        let before = self.effort;
        change(&mut self.effort);
        if before == self.effort {
            return;
        }
        let effort = self.effort;
        let Some(input) = &mut self.input else {
            return;
        };
        if let Err(error) = input.encoder.set_effort(effort) {
            tracing::warn!(%error, "encoder keeps its settings");
        }
    }

    /// Makes encoder and resampler fit the frames; false when the codec cannot.
    fn prepare(&mut self, sample_rate: u32, channels: u32) -> bool {
        let fits = self
            .input
            .as_ref()
            .is_some_and(|input| input.sample_rate == sample_rate && input.channels == channels);
        if fits {
            return true;
        }
        self.pending.clear();
        self.input = Input::new(sample_rate, channels, self.effort);
        self.follow_plan();
        self.input.is_some()
    }

    /// A half-filled packet from before a pause is filled up with silence, so that the pause lies
    /// between two packets and not inside one.
    fn complete_stale(&mut self, now: Instant, out: &mut Vec<EncodedPacket>) {
        let (Some(input), Some(due)) = (&self.input, self.due) else {
            return;
        };
        let packet = self.plan.packet_millis;
        let is_stale = now.saturating_duration_since(due) >= millis(packet) + PAUSE;
        if self.pending.is_empty() || !is_stale {
            return;
        }
        self.pending.resize(input.format.samples(packet), 0);
        self.encode_complete(now, out);
    }

    /// Places the next packet on the time line: right behind the last one, or after a pause.
    fn begin(&mut self, now: Instant) {
        let Some(due) = self.due else {
            self.due = Some(now);
            return;
        };
        let pause = now.saturating_duration_since(due);
        if pause < PAUSE {
            return;
        }
        let packets = (pause.as_millis() + PACKET.as_millis() / 2) / PACKET.as_millis();
        self.timestamp = self
            .timestamp
            .wrapping_add((packets as u32).wrapping_mul(PACKET_TICKS));
        self.due = Some(now);
        self.marker = true;
    }

    fn append(&mut self, pcm: &[i16]) {
        let Some(input) = &mut self.input else { return };
        let start = self.pending.len();
        match &mut input.resampler {
            None => convert_channels(
                pcm,
                input.channels,
                input.format.channels,
                &mut self.pending,
            ),
            Some(resampler) => {
                let mut folded = Vec::new();
                convert_channels(pcm, input.channels, input.format.channels, &mut folded);
                resampler.process(&folded, &mut self.pending);
            }
        }
        if self.muted {
            self.pending[start..].fill(0);
        }
    }

    fn encode_complete(&mut self, now: Instant, out: &mut Vec<EncodedPacket>) {
        let Some(input) = &mut self.input else { return };
        let packet = self.plan.packet_millis;
        let size = input.format.samples(packet);
        let mut done = 0;
        while self.pending.len() - done >= size {
            let frame = &self.pending[done..done + size];
            match input.encoder.encode(frame) {
                Ok(payload) => {
                    let quiet = self.effort.dtx && payload.len() <= DTX_BYTES;
                    let recent = self
                        .last_sent
                        .is_some_and(|sent| now.saturating_duration_since(sent) < DTX_REFRESH);
                    if quiet && recent {
                        self.marker = true;
                    } else {
                        if self.memory.capacity() < payload.len() {
                            self.memory.reserve(MEMORY);
                        }
                        self.memory.extend_from_slice(payload);
                        out.push(EncodedPacket {
                            timestamp: self.timestamp,
                            marker: std::mem::take(&mut self.marker),
                            payload: self.memory.split().freeze(),
                        });
                        self.last_sent = Some(now);
                        // Sound after a DTX packet begins a talkspurt.
                        self.marker = quiet;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "frame not encoded");
                }
            }
            done += size;
            let ticks = packet * TICKS_PER_MILLI;
            self.timestamp = self.timestamp.wrapping_add(ticks);
            self.due = self.due.map(|due| due + millis(packet));
        }
        self.pending.drain(..done);
    }
}

fn millis(count: u32) -> Duration {
    Duration::from_millis(u64::from(count))
}

impl Input {
    fn new(sample_rate: u32, channels: u32, effort: Effort) -> Option<Self> {
        if !(4_000..=192_000).contains(&sample_rate) || channels == 0 {
            return None;
        }
        let native = opus::is_native(sample_rate);
        let format = Format {
            sample_rate: if native { sample_rate } else { 48_000 },
            channels: channels.min(2),
        };
        let resampler =
            (!native).then(|| Resampler::new(sample_rate, format.sample_rate, format.channels));
        let encoder = Encoder::new(format, effort)
            .inspect_err(|error| tracing::warn!(%error, "no encoder for this source"))
            .ok()?;
        Some(Self {
            sample_rate,
            channels,
            format,
            resampler,
            encoder,
        })
    }
}

#[cfg(test)]
mod tests;
