//! From PCM of one local track to Opus packets, the moment one is full: 20 ms, on a narrow hop 60.
//!
//! Owns the encoder, the half-filled frame and the RTP time line of one track. It has no tick and no
//! clock: who pushes paces. Nothing pushed means nothing encoded and nothing sent. Does not number
//! packets and does not know the network.

use std::time::{Duration, Instant};

use bytes::Bytes;

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
                        out.push(EncodedPacket {
                            timestamp: self.timestamp,
                            marker: std::mem::take(&mut self.marker),
                            payload: Bytes::copy_from_slice(payload),
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
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(10);

    fn encoder() -> TrackEncoder {
        TrackEncoder::new(EncoderSettings {
            first_timestamp: 1_000,
            ..Default::default()
        })
    }

    fn tone(millis: u32) -> Vec<i16> {
        (0..24 * millis)
            .map(|n| ((f64::from(n) * 440.0 * std::f64::consts::TAU / 24_000.0).sin() * 8e3) as i16)
            .collect()
    }

    fn push(encoder: &mut TrackEncoder, now: Instant, pcm: &[i16]) -> Vec<EncodedPacket> {
        let mut out = Vec::new();
        encoder.push(now, pcm, 24_000, 1, &mut out);
        out
    }

    #[test]
    fn packet_leaves_the_moment_twenty_milliseconds_are_there() {
        let (mut encoder, start) = (encoder(), Instant::now());
        assert!(push(&mut encoder, start, &tone(10)).is_empty());
        let packets = push(&mut encoder, start, &tone(10));
        assert_eq!(packets.len(), 1);
        assert!(packets[0].marker);
        assert_eq!(packets[0].timestamp, 1_000);
    }

    #[test]
    fn continuous_frames_have_contiguous_timestamps_and_one_marker() {
        let (mut encoder, start) = (encoder(), Instant::now());
        let mut packets = push(&mut encoder, start, &tone(20));
        for n in 1..=20 {
            packets.extend(push(&mut encoder, start + TICK * n, &tone(10)));
        }
        let timestamps: Vec<_> = packets.iter().map(|p| p.timestamp).collect();
        let expected: Vec<_> = (0..11).map(|n| 1_000 + n * 960).collect();
        assert_eq!(timestamps, expected);
        assert_eq!(packets.iter().filter(|p| p.marker).count(), 1);
    }

    #[test]
    fn pause_moves_the_timestamp_by_real_time_in_whole_packets() {
        let (mut encoder, start) = (encoder(), Instant::now());
        push(&mut encoder, start, &tone(20));
        // 1.02 s after the end of the first packet, plus a bit.
        let later = start + Duration::from_millis(20 + 1_020 + 7);
        let packets = push(&mut encoder, later, &tone(20));
        assert!(packets[0].marker);
        assert_eq!(packets[0].timestamp, 1_000 + 960 + 51 * 960);
    }

    #[test]
    fn late_tick_does_not_tear_the_time_line() {
        let (mut encoder, start) = (encoder(), Instant::now());
        push(&mut encoder, start, &tone(20));
        let packets = push(&mut encoder, start + Duration::from_millis(70), &tone(20));
        assert!(!packets[0].marker);
        assert_eq!(packets[0].timestamp, 1_960);
    }

    #[test]
    fn half_frame_from_before_a_pause_stays_before_it() {
        let (mut encoder, start) = (encoder(), Instant::now());
        push(&mut encoder, start, &tone(30));
        let packets = push(
            &mut encoder,
            start + Duration::from_millis(1_040),
            &tone(20),
        );
        let sent: Vec<_> = packets.iter().map(|p| (p.timestamp, p.marker)).collect();
        assert_eq!(sent, [(1_000 + 960, false), (1_000 + 52 * 960, true)]);
    }

    #[test]
    fn flushed_half_frame_never_leaves() {
        let (mut encoder, start) = (encoder(), Instant::now());
        push(&mut encoder, start, &tone(10));
        encoder.flush();
        assert!(push(&mut encoder, start + TICK, &tone(10)).is_empty());
    }

    #[test]
    fn muted_track_sends_silence() {
        let (mut encoder, start) = (encoder(), Instant::now());
        encoder.set_muted(true);
        let mut packets = Vec::new();
        for n in 0..10 {
            encoder.push(start + PACKET * n, &tone(20), 24_000, 1, &mut packets);
        }
        let format = Format {
            sample_rate: 24_000,
            channels: 1,
        };
        let mut decoder = opus::Decoder::new(format).unwrap();
        let mut pcm = Vec::new();
        for packet in &packets {
            decoder.decode(&packet.payload, &mut pcm).unwrap();
        }
        assert_eq!(pcm.len(), 4_800);
        assert!(pcm.iter().all(|sample| sample.abs() < 4));
    }

    #[test]
    fn silence_under_dtx_is_left_out_and_speech_after_it_is_marked() {
        let settings = EncoderSettings {
            dtx: true,
            first_timestamp: 0,
            ..Default::default()
        };
        let (mut encoder, start) = (TrackEncoder::new(settings), Instant::now());
        let mut packets = Vec::new();
        for n in 0..200 {
            encoder.push(start + PACKET * n, &[0; 480], 24_000, 1, &mut packets);
        }
        assert!(
            packets.len() < 60,
            "{} packets for 4 s of silence",
            packets.len()
        );
        let at = start + PACKET * 200;
        let speech = push(&mut encoder, at, &tone(20));
        assert_eq!(speech[0].timestamp, 200 * 960);
        assert!(speech[0].marker);
    }

    /// Bits per second of a voice-like sound.
    fn rate_of(encoder: &mut TrackEncoder, sample_rate: u32, channels: u32) -> f64 {
        let (start, mut packets) = (Instant::now(), Vec::new());
        let step = 180.0 * std::f64::consts::TAU / f64::from(sample_rate);
        let frame = (sample_rate / 100) as usize;
        for number in 0..500 {
            let sample = |n: usize| {
                let t = (number as usize * frame + n) as f64 * step;
                ((1..10)
                    .map(|k| (t * f64::from(k)).sin() / f64::from(k))
                    .sum::<f64>()
                    * 5e3) as i16
            };
            let pcm: Vec<i16> = (0..frame)
                .flat_map(|n| std::iter::repeat_n(sample(n), channels as usize))
                .collect();
            encoder.push(
                start + TICK * number,
                &pcm,
                sample_rate,
                channels,
                &mut packets,
            );
        }
        let bytes: usize = packets.iter().map(|packet| packet.payload.len()).sum();
        bytes as f64 * 8.0 / 5.0
    }

    #[test]
    fn a_voice_gets_24_kbit_per_second_unless_the_application_allows_less() {
        let mut free = encoder();
        let rate = rate_of(&mut free, 24_000, 1);
        assert_eq!(free.bitrate(), Some(24_000));
        assert!(rate < 26_000.0, "{rate}");
        let mut bounded = encoder();
        bounded.set_max_bitrate(Some(12_000));
        let rate = rate_of(&mut bounded, 24_000, 1);
        assert_eq!(bounded.bitrate(), Some(12_000));
        assert!(rate < 14_000.0, "{rate}");
        bounded.set_max_bitrate(Some(64_000));
        rate_of(&mut bounded, 24_000, 1);
        assert_eq!(bounded.bitrate(), Some(24_000));
    }

    #[test]
    fn what_may_be_music_gets_what_the_application_says() {
        let mut encoder = encoder();
        encoder.set_max_bitrate(Some(64_000));
        rate_of(&mut encoder, 48_000, 2);
        assert_eq!(encoder.bitrate(), Some(64_000));
        encoder.set_max_bitrate(None);
        rate_of(&mut encoder, 48_000, 2);
        assert_eq!(encoder.bitrate(), None);
    }

    #[test]
    fn a_narrow_hop_gets_three_times_longer_packets_on_the_same_time_line() {
        let (mut encoder, start) = (encoder(), Instant::now());
        let mut packets = Vec::new();
        for n in 0..120 {
            if n == 60 {
                encoder.set_plan(RatePlan {
                    bitrate: 16_000,
                    loss_percent: 0,
                    packet_millis: 60,
                });
            }
            packets.extend(push(&mut encoder, start + TICK * n, &tone(10)));
        }
        assert_eq!(packets.len(), 30 + 10);
        let steps: Vec<_> = packets
            .windows(2)
            .map(|pair| pair[1].timestamp - pair[0].timestamp)
            .collect();
        assert!(steps[..30].iter().all(|step| *step == 960), "{steps:?}");
        assert!(steps[30..].iter().all(|step| *step == 2_880), "{steps:?}");
        assert_eq!(packets.iter().filter(|p| p.marker).count(), 1);
        encoder.set_plan(RatePlan::default());
        let later = push(&mut encoder, start + TICK * 120, &tone(20));
        assert_eq!(later.len(), 1, "and back");
    }

    #[test]
    fn odd_rate_is_resampled_to_a_rate_of_the_codec() {
        let (mut encoder, start) = (encoder(), Instant::now());
        let mut packets = Vec::new();
        for n in 0..100 {
            encoder.push(start + TICK * n, &[100; 882], 44_100, 2, &mut packets);
        }
        assert!((48..=50).contains(&packets.len()), "{}", packets.len());
    }
}
