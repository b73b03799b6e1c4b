//! Core: listening to one participant: arrival → decode → speech → gate, one packet in one pass.
//!
//! Owns the time line, the decoder and the speech detector of one track. It does not know where the audio goes; behind a
//! closed gate nothing is decoded and nothing leaves.

pub mod arrival;
mod fade;
mod guard;
mod vad;

use std::time::{Duration, Instant};

use dialog::{input::SpeechEdge, output::Gate};

use self::{
    arrival::{Action, Arrival, Counts},
    fade::{EDGE_MILLIS, Fade},
    guard::Guard,
    vad::Vad,
};
use super::{
    FRAME_SAMPLES, Packet, Pcm,
    echo::{OwnVoice, Played},
    opus::{DecodeError, Decoder},
};

/// An ear reports the end of speech this much later than it happens.
pub(crate) const EDGE_LAG: Duration = vad::HANGOVER_TIME;

/// What comes out of a decoder went into the speaker's encoder so long before: 312 samples at 48 kHz
/// (RFC 7845, section 4.2).
const LOOKAHEAD: Duration = Duration::from_micros(6_500);

/// A decoded frame below −60 dBFS is silence: 0.001 of full scale, as a mean square.
const QUIET_POWER: i64 = 33 * 33;

/// Ticks of the 48 kHz RTP clock in which an abrupt end is led out.
const EDGE_TICKS: u32 = 48 * EDGE_MILLIS;

/// One participant's ear.
pub(crate) struct Ear {
    arrival: Arrival,
    decoder: Decoder,
    fade: Fade,
    vad: Vad,
    guard: Guard,
    own_voice: OwnVoice,
    /// As it was when we last looked.
    played: Played,
    gate: Gate,
    /// The decoder missed packets.
    is_stale: bool,
    /// The longest time that a packet was held back, from the socket to here, since the last
    /// question.
    held: Option<Duration>,
    /// Memory for what is decoded next.
    spare: Vec<i16>,
}

impl Ear {
    pub(crate) fn new(now: Instant, gate: Gate, own_voice: OwnVoice) -> Result<Self, DecodeError> {
        let decoder = Decoder::new()?;
        let played = own_voice.look();
        let guard = Guard::new(&played);
        let mut arrival = Arrival::new(now);
        arrival.set_unheard(gate != Gate::Open);
        Ok(Self {
            arrival,
            decoder,
            fade: Fade::default(),
            vad: Vad::new(),
            guard,
            own_voice,
            played,
            gate,
            is_stale: false,
            held: None,
            spare: Vec::new(),
        })
    }

    /// Whether what is heard goes on to the model.
    pub(crate) fn set_gate(&mut self, now: Instant, gate: Gate) {
        if self.gate != Gate::Open {
            // The silence until now was nobody's.
            self.arrival.set_unheard(false);
            self.on_timeout(now);
        }
        self.gate = gate;
        self.arrival.set_unheard(gate != Gate::Open);
        if gate != Gate::Open {
            self.ignore();
        }
    }

    /// What is decoded next is written over a piece that is not needed any more, if memory for it is
    /// wanted.
    pub(crate) fn reuse(&mut self, spare: &mut Pcm) {
        if self.spare.capacity() == 0 {
            self.spare = Vec::from(std::mem::take(spare));
            self.spare.clear();
        }
    }

    /// Takes in one packet; returns the audio that can go on now.
    pub(crate) fn on_packet(&mut self, now: Instant, packet: Packet) -> Option<Pcm> {
        self.arrival.on_packet(packet);
        self.drain(now)
    }

    /// Takes in sound that comes decoded and paced; returns it if it can go on.
    pub(crate) fn on_frame(&self, pcm: Pcm) -> Option<Pcm> {
        (self.gate == Gate::Open).then_some(pcm)
    }

    /// Looks for speech in what was heard; [`Self::poll_edge`] tells where it is. Returns what goes
    /// on: silence where it is the agent's own voice.
    pub(crate) fn attend(&mut self, now: Instant, pcm: Pcm) -> Pcm {
        self.vad.hear(&pcm);
        self.own_voice.look_again(&mut self.played);
        while let Some(edge) = self.vad.poll_edge() {
            self.guard.on_edge(now, edge, &self.played);
        }
        self.guard.hear(now, pcm, &self.played)
    }

    /// What was heard does not go on: speech in it would interrupt for nothing, and speech before it
    /// is over.
    pub(crate) fn ignore(&mut self) {
        self.vad.rest();
        self.guard.rest(self.vad.poll_edge());
    }

    /// Acts on what is due; returns the audio that can go on now.
    pub(crate) fn on_timeout(&mut self, now: Instant) -> Option<Pcm> {
        self.arrival.on_timeout(now);
        self.drain(now)
    }

    /// When [`Self::on_timeout`] wants to be called.
    pub(crate) fn deadline(&mut self, now: Instant) -> Option<Instant> {
        self.arrival.deadline(now)
    }

    /// The track is over: what still waits behind a gap.
    pub(crate) fn end(&mut self, now: Instant) -> Option<Pcm> {
        self.arrival.flush(now);
        self.drain(now)
    }
    /// Counters since the last question.
    pub(crate) fn take_counts(&mut self) -> Counts {
        self.arrival.take_counts()
    }

    /// The longest time that a packet was held back since the last question: from the socket to the
    /// model's queue.
    pub(crate) fn take_held(&mut self) -> Option<Duration> {
        self.held.take()
    }

    /// Where speech began or ended, oldest first; in the time of who spoke, whose encoder looked ahead
    /// before it sent anything.
    pub(crate) fn poll_edge(&mut self) -> Option<SpeechEdge> {
        Some(match self.guard.poll_edge()? {
            SpeechEdge::Echoed => SpeechEdge::Echoed,
            SpeechEdge::Started { before } => SpeechEdge::Started {
                before: before + LOOKAHEAD,
            },
            SpeechEdge::Stopped { before } => SpeechEdge::Stopped {
                before: before + LOOKAHEAD,
            },
        })
    }

    fn drain(&mut self, now: Instant) -> Option<Pcm> {
        let mut pcm = std::mem::take(&mut self.spare);
        while let Some(action) = self.arrival.poll_action() {
            if let Action::Decode(packet) = &action {
                let held = now.saturating_duration_since(packet.arrival);
                self.held = self.held.max(Some(held));
            }
            if self.gate == Gate::Open {
                self.carry_out(now, action, &mut pcm);
            } else {
                self.is_stale = true;
            }
        }
        if pcm.is_empty() {
            self.spare = pcm;
            return None;
        }
        Some(Pcm::from(pcm))
    }

    fn carry_out(&mut self, now: Instant, action: Action, pcm: &mut Vec<i16>) {
        if std::mem::take(&mut self.is_stale) {
            self.decoder.reset();
        }
        match action {
            Action::Conceal { ticks } => self.conceal(ticks, pcm),
            Action::Decode(packet) => {
                let start = pcm.len();
                if self.decoder.decode(&packet.payload, pcm).is_err() {
                    return self.conceal(packet.ticks, pcm);
                }
                self.fade.real(&mut pcm[start..]);
                self.pay_debt(now, start, pcm);
            }
            Action::Rebuild { next, ticks } => {
                let start = pcm.len();
                if self.decoder.rebuild(&next, ticks, pcm).is_err() {
                    return self.conceal(ticks, pcm);
                }
                self.fade.real(&mut pcm[start..]);
            }
            Action::Reset => self.decoder.reset(),
            Action::Silence { ticks } => self.silence(ticks, pcm),
        }
    }

    fn conceal(&mut self, ticks: u32, pcm: &mut Vec<i16>) {
        let start = pcm.len();
        if self.decoder.conceal(ticks, pcm).is_err() {
            return self.zeros(ticks, pcm);
        }
        self.fade.made_up(&mut pcm[start..]);
    }

    /// Zeros, after a short end of what was heard.
    fn silence(&mut self, ticks: u32, pcm: &mut Vec<i16>) {
        if !self.fade.is_audible() || ticks < EDGE_TICKS {
            return self.zeros(ticks, pcm);
        }
        let start = pcm.len();
        if self.decoder.conceal(EDGE_TICKS, pcm).is_err() {
            return self.zeros(ticks, pcm);
        }
        self.fade.lead_out(&mut pcm[start..]);
        self.zeros(ticks - EDGE_TICKS, pcm);
    }

    fn zeros(&mut self, ticks: u32, pcm: &mut Vec<i16>) {
        self.fade.silence();
        pcm.resize(pcm.len() + ticks as usize / 2, 0);
    }

    /// Leaves out quiet frames while the time line is ahead of real time.
    fn pay_debt(&mut self, now: Instant, start: usize, pcm: &mut Vec<i16>) {
        if self.arrival.debt(now) == 0 {
            return;
        }
        let mut at = start;
        while at + FRAME_SAMPLES <= pcm.len() {
            let frame = at..at + FRAME_SAMPLES;
            if is_quiet(&pcm[frame.clone()])
                && self.arrival.drops_quiet(now, 2 * FRAME_SAMPLES as u32)
            {
                pcm.drain(frame);
            } else {
                at += FRAME_SAMPLES;
            }
        }
    }
}

fn is_quiet(frame: &[i16]) -> bool {
    let power: i64 = frame.iter().map(|sample| i64::from(*sample).pow(2)).sum();
    power < QUIET_POWER * frame.len() as i64
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::media::{opus::has_fec, test_voice::voice};

    /// Speech-like packets, 20 ms each, with or without redundancy for the one before.
    fn packets(count: usize, fec: bool) -> Vec<Bytes> {
        let mode = opus::Application::Voip;
        let mut encoder = opus::Encoder::new(24_000, opus::Channels::Mono, mode).unwrap();
        encoder.set_signal(opus::Signal::Voice).unwrap();
        encoder.set_inband_fec(fec).unwrap();
        encoder
            .set_packet_loss_perc(if fec { 20 } else { 0 })
            .unwrap();
        let pcm: Vec<i16> = (0..count * 480).map(voice).collect();
        pcm.chunks(480)
            .map(|frame| encoder.encode_vec(frame, 1_000).unwrap().into())
            .collect()
    }

    fn hear(packets: &[Bytes], lost: &[usize]) -> Vec<i16> {
        let start = Instant::now();
        let mut ear = Ear::new(start, Gate::Open, OwnVoice::new(start)).unwrap();
        let mut heard = Vec::new();
        for (n, payload) in packets
            .iter()
            .enumerate()
            .filter(|(n, _)| !lost.contains(n))
        {
            let arrival = start + Duration::from_millis(20 * n as u64 + 10);
            let packet = Packet {
                sequence: n as u64,
                timestamp: n as u32 * 960,
                arrival,
                audio_level: None,
                ticks: 960,
                has_fec: has_fec(payload),
                payload: payload.clone(),
            };
            while let Some(due) = ear.deadline(arrival).filter(|due| *due <= arrival) {
                heard.extend(ear.on_timeout(due).map(Vec::from).unwrap_or_default());
            }
            heard.extend(
                ear.on_packet(arrival, packet)
                    .map(Vec::from)
                    .unwrap_or_default(),
            );
        }
        let end = start + Duration::from_millis(20 * packets.len() as u64 + 30);
        heard.extend(ear.on_timeout(end).map(Vec::from).unwrap_or_default());
        heard
    }

    fn error(a: &[i16], b: &[i16]) -> f64 {
        let square = |(a, b): (&i16, &i16)| (f64::from(*a) - f64::from(*b)).powi(2);
        a.iter().zip(b).map(square).sum::<f64>() / a.len() as f64
    }

    #[test]
    fn every_packet_is_heard_with_its_exact_length() {
        let heard = hear(&packets(50, false), &[]);
        assert_eq!(heard.len(), 50 * 480);
    }

    #[test]
    fn lost_packet_is_rebuilt_from_redundancy_better_than_concealed() {
        let hole = 25 * 480..26 * 480;
        let mut errors = Vec::new();
        for fec in [true, false] {
            let packets = packets(50, fec);
            let (whole, holed) = (hear(&packets, &[]), hear(&packets, &[25]));
            assert_eq!(whole.len(), holed.len(), "the time line keeps its length");
            errors.push(error(&whole[hole.clone()], &holed[hole.clone()]));
        }
        assert!(errors[0] < errors[1] / 2.0, "{errors:?}");
    }

    #[test]
    fn neither_end_of_a_hole_clicks() {
        let packets = packets(60, false);
        for lost in [vec![25], (25..28).collect(), (25..35).collect::<Vec<_>>()] {
            let (whole, holed) = (hear(&packets, &[]), hear(&packets, &lost));
            let step = |pcm: &[i16]| {
                let steps = pcm.windows(2).map(|pair| pair[0].abs_diff(pair[1]));
                steps.max().unwrap_or_default()
            };
            let around = 24 * 480..(40 * 480).min(holed.len());
            let (real, heard) = (step(&whole[around.clone()]), step(&holed[around]));
            assert!(
                heard <= real * 3 / 2,
                "{lost:?}: a step of {heard} where speech has {real}"
            );
        }
    }

    #[test]
    fn what_waits_behind_a_gap_is_heard_when_the_track_ends() {
        let start = Instant::now();
        let mut ear = Ear::new(start, Gate::Open, OwnVoice::new(start)).unwrap();
        for (n, payload) in packets(5, false)
            .into_iter()
            .enumerate()
            .filter(|(n, _)| *n != 3)
        {
            let packet = Packet {
                sequence: n as u64,
                timestamp: n as u32 * 960,
                arrival: start,
                audio_level: None,
                ticks: 960,
                has_fec: false,
                payload,
            };
            ear.on_packet(start, packet);
        }
        let rest = ear.end(start).unwrap();
        assert_eq!(rest.duration(), Duration::from_millis(40));
    }

    #[test]
    fn nothing_passes_a_closed_gate() {
        let start = Instant::now();
        let mut ear = Ear::new(start, Gate::Closed, OwnVoice::new(start)).unwrap();
        assert_eq!(ear.on_timeout(start + Duration::from_secs(1)), None);
        ear.set_gate(start + Duration::from_millis(1_500), Gate::Open);
        let pcm = ear
            .on_timeout(start + Duration::from_millis(1_520))
            .unwrap();
        assert_eq!(pcm.duration(), Duration::from_millis(20));
    }

    #[test]
    fn garbage_is_concealed_and_keeps_the_time_line() {
        let mut packets = packets(20, false);
        packets[10] = Bytes::from_static(&[0xff; 40]);
        assert_eq!(hear(&packets, &[]).len(), 20 * 480);
    }
}
