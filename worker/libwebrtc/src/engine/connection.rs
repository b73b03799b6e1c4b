//! One connection, sans-IO but for its log. Owns str0m's `Rtc` and everything negotiated; no socket, no clock, no
//! thread. Time comes in as `now`; what is to be sent and told goes out through [`Outbox`].
//!
//! The law of str0m is the law here: after every mutation [`Connection::advance`] drains it.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use str0m::{
    Candidate, Event as RtcEvent, IceConnectionState as Str0mIce, Input, Output, Rtc,
    crypto::CryptoProvider,
    media::Mid,
    net::{Protocol, Receive, Transmit},
};

use super::{
    channels::ChannelTable,
    crypto,
    events::Event,
    fallback::Fallback,
    link::Link,
    liveness::{Liveness, Verdict},
    negotiation::Negotiation,
    path::LastPath,
    reached::Reached,
    reason::StateReason,
    sources::Claim,
    stats::{Side, StatsBook},
    status::{self, Status},
    transceivers::TransceiverShared,
    wire,
};
use crate::{
    RtcError,
    peer_connection::{IceConnectionState, PeerConnectionState},
};

/// Memory all channels of a connection may fill with unsent messages. `livekit` keeps to 2 MiB
/// per kind by itself; this is the limit for everybody else.
const CHANNEL_BUFFER: usize = 16 * 1024 * 1024;
/// Longest pause between two STUN checks. A NAT that forgot us sends from another port, and the
/// peer learns it from the next check: sound stops for that long.
const STUN_PAUSE: Duration = Duration::from_secs(1);
/// Retransmissions of a STUN check: with that pause str0m gives a path up after 5.5 s.
const STUN_RETRANSMITS: usize = 6;
/// How often str0m counts; feeds `get_stats` and the loss the encoder is told.
const STATS_INTERVAL: Duration = Duration::from_secs(2);
/// Addresses a peer may check us from before the connection stands.
const ACQUAINTANCES: usize = 32;
/// Rounds of "drain, and if it wants to go on at once, let it". More would be a loop.
const ADVANCE_ROUNDS: usize = 16;

/// What a connection wants done.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) transmits: Vec<Transmit>,
    /// Peer addresses to be called over TCP.
    pub(crate) calls: Vec<SocketAddr>,
    pub(crate) events: Vec<Event>,
    pub(crate) wants: Wants,
}

/// What a connection wants beyond its own addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    /// A search began: how do others see us?
    pub(crate) addresses: bool,
    /// No path works, or nothing else may be used.
    pub(crate) relays: bool,
}

/// One connection.
pub(crate) struct Connection {
    pub(super) rtc: Rtc,
    pub(super) link: Weak<Link>,
    pub(super) status: Arc<Status>,
    pub(super) out: Outbox,
    pub(super) negotiation: Negotiation,
    pub(super) transceivers: Vec<Arc<TransceiverShared>>,
    pub(super) channels: ChannelTable,
    pub(super) stats: StatsBook,
    /// Sequence of the RTP packet that came last.
    pub(super) arrived: Option<u16>,
    /// Memory of packets that came.
    pub(super) heard: BytesMut,
    pub(super) local_candidates: Vec<Candidate>,
    pub(super) liveness: Liveness,
    pub(super) fallback: Fallback,
    /// Where checks came from before the connection stood.
    acquaintances: Vec<SocketAddr>,
    pub(super) path: LastPath,
    pub(super) reached: Reached,
    /// Beyond repair, and why.
    pub(super) broken: Option<StateReason>,
    /// Why the connection is in its state.
    pub(super) why: Option<StateReason>,
    /// Both descriptions are there, or a restart began: the clock of [`Liveness`] is to start.
    pub(super) search_begins: bool,
    deadline: Instant,
}

impl Connection {
    pub(crate) fn new(now: Instant, link: Weak<Link>, status: Arc<Status>) -> Self {
        Self::with_crypto(now, link, status, crypto::provider())
    }

    pub(super) fn with_crypto(
        now: Instant,
        link: Weak<Link>,
        status: Arc<Status>,
        crypto: Arc<CryptoProvider>,
    ) -> Self {
        let mut config = Rtc::builder()
            .set_crypto_provider(crypto)
            .clear_codecs()
            // With redundant coding (RFC 2198): what is lost is rebuilt from the next packet, and
            // comes as if it had been reordered. Sent where the peer prefers it.
            .enable_opus(true, true)
            // A video section needs one codec to be valid; what comes is thrown away.
            .enable_vp8(true)
            // Every packet at once and in order of arrival: the tap and the jitter buffer have
            // their own ideas of waiting.
            .set_reordering_size_audio(0)
            .set_reordering_timeout_audio(None)
            .set_sctp_max_buffered_amount(CHANNEL_BUFFER)
            .set_stats_interval(Some(STATS_INTERVAL));
        config.set_max_stun_rto(STUN_PAUSE);
        config.set_max_stun_retransmits(STUN_RETRANSMITS);
        Self {
            rtc: config.build(now),
            link,
            status,
            out: Outbox::default(),
            negotiation: Negotiation::default(),
            transceivers: Vec::new(),
            channels: ChannelTable::default(),
            stats: StatsBook::default(),
            arrived: None,
            heard: BytesMut::new(),
            local_candidates: Vec::new(),
            liveness: Liveness::default(),
            fallback: Fallback::default(),
            acquaintances: Vec::new(),
            path: LastPath::default(),
            reached: Reached::default(),
            broken: None,
            why: None,
            search_begins: false,
            deadline: now,
        }
    }

    // --- driving

    /// When [`on_time`](Self::on_time) is due.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// A datagram came.
    pub(crate) fn on_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
    ) {
        self.on_packet(now, Protocol::Udp, source, destination, datagram);
    }

    /// A datagram came, or a packet over TCP.
    pub(crate) fn on_packet(
        &mut self,
        now: Instant,
        protocol: Protocol,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
    ) {
        let Ok(receive) = Receive::new(protocol, source, destination, datagram) else {
            return;
        };
        let input = Input::Receive(now, receive);
        let accepted = self.rtc.accepts(&input);
        if !accepted && !self.is_early_handshake(source) {
            return;
        }
        if accepted {
            self.stats.on_datagram(datagram);
            self.liveness.heard(now);
            self.reached.heard_at(destination);
            if protocol == Protocol::Udp {
                let ours = (!self.reached.is_relayed(destination)).then_some(destination);
                self.path.heard(source, ours);
            } else {
                self.path.heard_over_tcp(destination);
            }
            self.note_acquaintance(source);
        }
        self.arrived = wire::rtp_head(datagram).map(|head| head.sequence);
        let claim = Claim::of(datagram, &mut self.rtc, &self.transceivers);
        let (handled, checks) = crypto::watch(|| self.rtc.handle_input(input));
        if let Some(claim) = claim.filter(|_| checks.passed == 0) {
            claim.withdraw(&mut self.rtc);
        }
        if checks.failed > 0 {
            self.stats.on_refused_packet();
        }
        if let Err(error) = handled {
            self.give_up("a datagram could not be handled", &error);
        }
    }

    /// The peer's first handshake message may overtake the check that shows us the path it came
    /// on. str0m does not know the sender yet; dropping the message would cost a second until it
    /// is repeated. Only while connecting, and only from where a check with our ICE name came.
    fn is_early_handshake(&self, source: SocketAddr) -> bool {
        !self.liveness.is_connected() && self.acquaintances.contains(&source)
    }

    fn note_acquaintance(&mut self, source: SocketAddr) {
        let known = self.liveness.is_connected() || self.acquaintances.contains(&source);
        if !known && self.acquaintances.len() < ACQUAINTANCES {
            self.acquaintances.push(source);
        }
    }

    /// The deadline came.
    pub(crate) fn on_time(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            self.give_up("a timeout could not be handled", &error);
        }
    }

    /// Drains str0m and settles everything that follows from what happened.
    pub(crate) fn advance(&mut self, now: Instant) {
        if std::mem::take(&mut self.search_begins) {
            self.liveness.start(now);
            self.fallback.search(now);
            self.out.wants.addresses = true;
        }
        self.call_over_tcp(now);
        self.recheck(now);
        let due = self.drain_due(now);
        self.stats.settle();
        self.report_buffered();
        self.settle_states(now);
        let alarms = [
            self.liveness.deadline(now),
            self.next_call(now),
            self.path.recheck_at(),
        ];
        self.deadline = alarms.into_iter().flatten().fold(due, Instant::min);
    }

    /// While no path works, asks for TCP connections and relays.
    fn call_over_tcp(&mut self, now: Instant) {
        if !self.is_searching(now) {
            return;
        }
        self.out.wants.relays |= self.fallback.relays_due(now);
        for candidate in self.fallback.due(now) {
            self.out.calls.push(candidate.addr());
            self.rtc.add_remote_candidate(candidate);
        }
    }

    fn next_call(&self, now: Instant) -> Option<Instant> {
        let alarms = [self.fallback.deadline(), self.fallback.relay_deadline()];
        let deadline = alarms.into_iter().flatten().min()?;
        self.is_searching(now).then_some(deadline)
    }

    fn is_searching(&self, now: Instant) -> bool {
        let verdict = self.liveness.verdict(now);
        let is_without_path = matches!(verdict, Verdict::Connecting | Verdict::Silent);
        is_without_path && !self.liveness.has_said_goodbye()
    }

    /// Tries a path again that str0m gave up.
    fn recheck(&mut self, now: Instant) {
        let is_lost = self.liveness.has_lost_path() && self.broken.is_none();
        let peer = self.path.recheck(now, is_lost);
        // Has no effect while a check of this path is under way.
        if let Some(candidate) = peer.and_then(|peer| Candidate::host(peer, "udp").ok()) {
            self.rtc.add_remote_candidate(candidate);
        }
    }

    /// Drains str0m, and again while it wants to go on at once; when it wants to go on next.
    pub(super) fn drain_due(&mut self, now: Instant) -> Instant {
        let mut due = self.drain(now);
        for _ in 0..ADVANCE_ROUNDS {
            if due > now || self.broken.is_some() {
                break;
            }
            self.on_time(now);
            due = self.drain(now);
        }
        due
    }

    fn drain(&mut self, now: Instant) -> Instant {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(due)) => return due,
                Ok(Output::Transmit(transmit)) => {
                    self.stats.on_transmit(&transmit.contents);
                    self.out.transmits.push(transmit);
                }
                Ok(Output::Event(event)) => self.on_event(now, event),
                Err(error) => {
                    if matches!(error, str0m::RtcError::RemoteSdp(_)) {
                        StatsBook::on_refused_peer();
                    }
                    self.give_up("the connection cannot go on", &error);
                    return now + Duration::from_secs(3_600);
                }
            }
        }
    }

    fn give_up(&mut self, what: &'static str, error: &dyn std::error::Error) {
        // Once: whatever comes afterwards may fail in the same way, as often as a peer likes.
        if self.broken.is_none() {
            tracing::warn!(error = %error, "{what}");
        }
        self.break_off(StateReason::Protocol);
    }

    fn on_event(&mut self, now: Instant, event: RtcEvent) {
        match event {
            RtcEvent::Connected => self.liveness.connected(),
            RtcEvent::IceConnectionStateChange(state) => self.on_ice(now, state),
            RtcEvent::MediaData(data) => self.on_media(data),
            RtcEvent::ChannelOpen(id, label) => self.on_channel_open(id, label),
            RtcEvent::ChannelData(data) => self.on_message(data.id, data.data, data.binary),
            RtcEvent::ChannelClose(id) => {
                self.channels.on_close(id, &mut self.out.events);
                self.open_channels();
            }
            RtcEvent::PeerStats(stats) => {
                self.report_check(now, &stats);
                self.stats.on_peer(stats);
            }
            RtcEvent::MediaIngressStats(stats) => self.stats.on_ingress(stats),
            RtcEvent::MediaEgressStats(stats) => {
                self.report_hop(now, &stats);
                self.stats.on_egress(stats);
            }
            RtcEvent::Closed => self.liveness.goodbye(now),
            _ => {}
        }
    }

    // --- states

    fn on_ice(&mut self, now: Instant, state: Str0mIce) {
        let works = matches!(state, Str0mIce::Connected | Str0mIce::Completed);
        // Looking for a path anew (a restart) is not losing it: the old one carries on.
        if works || state == Str0mIce::Disconnected {
            self.liveness.path(now, works);
        }
        let state = match state {
            Str0mIce::New => IceConnectionState::New,
            Str0mIce::Checking => IceConnectionState::Checking,
            Str0mIce::Connected => IceConnectionState::Connected,
            Str0mIce::Completed => IceConnectionState::Completed,
            Str0mIce::Disconnected => IceConnectionState::Disconnected,
        };
        self.set_ice_state(state);
    }

    fn set_ice_state(&mut self, state: IceConnectionState) {
        if self.status.ice.replace(state) {
            self.out.events.push(Event::IceState(state));
        }
    }

    fn settle_states(&mut self, now: Instant) {
        let verdict = self.liveness.verdict(now);
        if verdict == Verdict::Dead && self.liveness.has_said_goodbye() {
            self.break_off(StateReason::PeerClosed);
        }
        let state = match verdict {
            _ if self.broken.is_some() => PeerConnectionState::Failed,
            Verdict::Idle => PeerConnectionState::New,
            Verdict::Connecting => PeerConnectionState::Connecting,
            Verdict::Alive => PeerConnectionState::Connected,
            Verdict::Silent => PeerConnectionState::Disconnected,
            Verdict::Dead => PeerConnectionState::Failed,
        };
        if !self.status.connection.replace(state) {
            return;
        }
        let why = self.broken.unwrap_or_else(|| self.liveness.reason(now));
        self.why = Some(why);
        if state == PeerConnectionState::Disconnected {
            self.path.doubt(now);
            self.fallback.path_lost();
        }
        status::entered(state, why);
        self.out.events.push(Event::ConnectionState(state));
        if state == PeerConnectionState::Failed {
            self.set_ice_state(IceConnectionState::Failed);
        }
    }

    /// The end: says goodbye to the peer. Nothing may be asked of the connection afterwards.
    pub(crate) fn close(&mut self, now: Instant) {
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "no goodbye");
        }
        self.drain(now);
        self.channels.close_all(&mut self.out.events);
    }

    // --- addresses

    /// The address on which the peer was heard is gone: the connection fails at once, so that a
    /// restart with other addresses may begin.
    pub(crate) fn address_gone(&mut self, now: Instant) {
        self.liveness.address_gone();
        self.settle_states(now);
    }

    // --- sections

    pub(crate) fn add_transceiver(&mut self, transceiver: Arc<TransceiverShared>) {
        self.transceivers.push(transceiver);
        self.need_negotiation();
    }

    pub(crate) fn all_transceivers(&self) -> Vec<Arc<TransceiverShared>> {
        self.transceivers.clone()
    }

    pub(crate) fn need_negotiation(&mut self) {
        self.out.events.push(Event::NegotiationNeeded);
    }

    // --- statistics

    pub(crate) fn section_stats(
        &self,
        mid: Option<Mid>,
        side: Side,
    ) -> Vec<crate::stats::RtcStats> {
        let of_section = |t: &&Arc<TransceiverShared>| mid.is_some() && t.str0m_mid() == mid;
        let sections = self.transceivers.iter().filter(of_section);
        self.stats.sections(sections, side)
    }

    pub(crate) fn all_stats(&self) -> Vec<crate::stats::RtcStats> {
        self.stats.everything(self)
    }

    /// Beyond repair. The first reason stands.
    pub(super) fn break_off(&mut self, why: StateReason) {
        self.broken.get_or_insert(why);
    }

    pub(crate) fn refuse_if_broken(&self) -> Result<(), RtcError> {
        match self.broken {
            Some(_) => Err(RtcError::invalid_state("the connection has failed")),
            None => Ok(()),
        }
    }
}
