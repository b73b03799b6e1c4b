//! For tests: two connections, a simulated network between them, a simulated clock. No socket, no thread.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use str0m::{
    crypto::CryptoProvider,
    net::{Protocol, Transmit},
};
use str0m_netem::{Input, LossModel, Netem, NetemConfig, Output, Probability, RandomLoss};

use super::{
    channels::ChannelShared, connection::Connection, crypto, events::Event, sender::Outgoing,
    status::Status, track::AudioTrack, transceivers::TransceiverShared,
};
use crate::{
    MediaType,
    audio::{
        encode::{EncoderSettings, TrackEncoder},
        opus::{Decoder, Format},
        rtp::AudioPacket,
        source::CaptureSource,
    },
    audio_track::RtcAudioTrack,
    data_channel::DataChannelInit,
    media_stream_track::MediaStreamTrack,
    peer_connection::PeerConnectionState,
    rtp_transceiver::{RtpTransceiverDirection, RtpTransceiverInit},
    session_description::{SdpType, SessionDescription},
};

pub(super) const TICK: Duration = Duration::from_millis(5);

/// One end of the pair.
pub(super) struct End {
    pub(super) connection: Connection,
    pub(super) status: Arc<Status>,
    pub(super) address: SocketAddr,
    /// The address the other end sees: a NAT may stand in between.
    pub(super) seen_as: SocketAddr,
    /// The way to the other end.
    pub(super) network: Netem<Datagram>,
    pub(super) states: Vec<PeerConnectionState>,
    pub(super) messages: Vec<Vec<u8>>,
    pub(super) buffered: u64,
    pub(super) channels: Vec<Arc<ChannelShared>>,
    pub(super) tracks: Vec<Arc<TransceiverShared>>,
    /// What was sent since [`Self::record`].
    recording: Option<Vec<Vec<u8>>>,
}

#[derive(Clone)]
pub(super) struct Datagram(pub(super) Arc<Transmit>);

impl str0m_netem::WithLen for Datagram {
    fn len(&self) -> usize {
        self.0.contents.len()
    }
}

impl End {
    pub(super) fn new(now: Instant, port: u16, network: NetemConfig) -> Self {
        Self::with_crypto(now, port, network, crypto::provider())
    }

    fn with_crypto(
        now: Instant,
        port: u16,
        network: NetemConfig,
        crypto: Arc<CryptoProvider>,
    ) -> Self {
        let status = Arc::new(Status::default());
        let mut connection = Connection::with_crypto(now, Weak::new(), status.clone(), crypto);
        let address = SocketAddr::from(([10, 0, 0, 1], port));
        connection.add_local(address);
        Self {
            connection,
            status,
            address,
            seen_as: address,
            network: Netem::new(network),
            states: Vec::new(),
            messages: Vec::new(),
            buffered: 0,
            channels: Vec::new(),
            tracks: Vec::new(),
            recording: None,
        }
    }

    /// Keeps what is sent from now on.
    pub(super) fn record(&mut self) {
        self.recording = Some(Vec::new());
    }

    pub(super) fn recorded(&mut self) -> Vec<Vec<u8>> {
        self.recording.take().unwrap_or_default()
    }

    pub(super) fn state(&self) -> PeerConnectionState {
        *self.status.connection.get()
    }

    /// Sends what is to be sent, notes what is told.
    pub(super) fn flush(&mut self, now: Instant) {
        self.connection.advance(now);
        for transmit in self.connection.out.transmits.drain(..) {
            if let Some(recording) = &mut self.recording {
                recording.push(transmit.contents.to_vec());
            }
            self.network
                .handle_input(Input::Packet(now, Datagram(Arc::new(transmit))));
        }
        for event in self.connection.out.events.drain(..) {
            match event {
                Event::ConnectionState(state) => self.states.push(state),
                Event::Message(_, data, _) => self.messages.push(data),
                Event::Buffered(_, bytes) => self.buffered += bytes,
                Event::DataChannel(channel) => self.channels.push(channel),
                Event::Track(transceiver) => self.tracks.push(transceiver),
                _ => {}
            }
        }
    }

    pub(super) fn arrivals(&mut self, now: Instant) -> Vec<Datagram> {
        self.network.handle_input(Input::Timeout(now));
        let mut arrived = Vec::new();
        while let Some(output) = self.network.poll_output() {
            match output {
                Output::Packet(datagram) => arrived.push(datagram),
                Output::Timeout(_) => break,
            }
        }
        arrived
    }

    pub(super) fn add_audio(
        &mut self,
        track: Option<&str>,
        direction: RtpTransceiverDirection,
    ) -> Arc<TransceiverShared> {
        let init = RtpTransceiverInit {
            direction,
            stream_ids: vec!["S".into()],
            send_encodings: vec![],
        };
        let transceiver = TransceiverShared::new(MediaType::Audio, init, Weak::new());
        if let Some(id) = track {
            let inner = AudioTrack::local(id.into(), CaptureSource::new(24_000, 1, 0));
            let track = MediaStreamTrack::Audio(RtcAudioTrack { inner });
            transceiver.set_local_track(Some(track)).unwrap();
        }
        self.connection.add_transceiver(transceiver.clone());
        transceiver
    }

    pub(super) fn add_channel(&mut self, label: &str, init: DataChannelInit) -> Arc<ChannelShared> {
        let channel = ChannelShared::new(label.into(), init, Weak::new());
        self.connection.add_channel(channel.clone()).unwrap();
        channel
    }
}

pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) caller: End,
    pub(super) callee: End,
    /// Nothing arrives.
    pub(super) cut: bool,
}

impl Pair {
    pub(super) fn new() -> Self {
        Self::over(
            NetemConfig::new()
                .latency(Duration::from_millis(20))
                .seed(7),
        )
    }

    pub(super) fn lossy(loss: f32) -> Self {
        let loss = LossModel::from(RandomLoss::new(Probability::new(loss)));
        Self::over(
            NetemConfig::new()
                .latency(Duration::from_millis(20))
                .loss(loss)
                .seed(7),
        )
    }

    pub(super) fn over(network: NetemConfig) -> Self {
        Self::of(network, crypto::provider())
    }

    /// Over a perfect network, with a cryptography of one's own.
    pub(super) fn with_crypto(crypto: Arc<CryptoProvider>) -> Self {
        Self::of(NetemConfig::new().seed(7), crypto)
    }

    fn of(network: NetemConfig, crypto: Arc<CryptoProvider>) -> Self {
        let now = Instant::now();
        let caller = End::with_crypto(now, 1_001, network, crypto.clone());
        let callee = End::with_crypto(now, 1_002, network, crypto);
        Self {
            now,
            caller,
            callee,
            cut: false,
        }
    }

    pub(super) fn negotiate(&mut self, restart: bool) {
        let offer = self.caller.connection.create_offer(restart).unwrap();
        self.exchange(offer);
    }

    pub(super) fn exchange(&mut self, offer: SessionDescription) {
        let Self { caller, callee, .. } = self;
        caller.connection.set_local(offer.clone()).unwrap();
        callee.connection.set_remote(offer).unwrap();
        let answer = callee.connection.create_answer().unwrap();
        callee.connection.set_local(answer.clone()).unwrap();
        caller.connection.set_remote(plain(&answer)).unwrap();
        self.caller.flush(self.now);
        self.callee.flush(self.now);
    }

    pub(super) fn step(&mut self) {
        self.now += TICK;
        let (now, cut) = (self.now, self.cut);
        carry(now, cut, &mut self.caller, &mut self.callee);
        carry(now, cut, &mut self.callee, &mut self.caller);
        for end in [&mut self.caller, &mut self.callee] {
            if end.connection.deadline() <= now {
                end.connection.on_time(now);
            }
            end.flush(now);
        }
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    #[track_caller]
    pub(super) fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while !done(self) {
            assert!(self.now < end, "not within {limit:?}");
            self.step();
        }
    }

    #[track_caller]
    pub(super) fn connect(&mut self) {
        self.negotiate(false);
        self.run_until(Duration::from_secs(10), Self::connected);
    }

    pub(super) fn connected(&self) -> bool {
        let ends = [self.caller.state(), self.callee.state()];
        ends.iter()
            .all(|state| *state == PeerConnectionState::Connected)
    }

    /// Speaks for some time into a section of the caller; what the callee's tap gets.
    pub(super) fn speak(
        &mut self,
        section: &TransceiverShared,
        time: Duration,
        hertz: f64,
    ) -> Vec<AudioPacket> {
        let mid = section.str0m_mid().unwrap();
        let heard = self.callee.tracks.last().unwrap().remote_track();
        let MediaStreamTrack::Audio(track) = heard else {
            panic!("not audio")
        };
        let mut tap = crate::ext::tap_remote(&track, 4_096).unwrap();
        let settings = EncoderSettings {
            first_timestamp: 0,
            ..EncoderSettings::default()
        };
        let mut encoder = TrackEncoder::new(settings);
        let packets = time.as_millis() / 20;
        for number in 0..packets {
            let tone = tone(hertz, 480, number as usize * 480);
            let mut encoded = Vec::new();
            encoder.push(self.now, &tone, 24_000, 1, &mut encoded);
            for packet in encoded {
                let out = Outgoing {
                    time: u64::from(packet.timestamp),
                    marker: packet.marker,
                    level: -20,
                    payload: &packet.payload,
                };
                self.caller.connection.write_audio(self.now, mid, &out);
                self.caller.flush(self.now);
            }
            self.run(Duration::from_millis(20));
        }
        self.run(Duration::from_millis(500));
        std::iter::from_fn(|| tap.try_recv()).collect()
    }
}

/// The answer of somebody who does not prefer redundant coding: what is lost stays lost.
fn plain(answer: &SessionDescription) -> SessionDescription {
    let text = answer.to_string().replace("SAVPF 63 111", "SAVPF 111 63");
    SessionDescription::parse(&text, SdpType::Answer).unwrap()
}

pub(super) fn carry(now: Instant, cut: bool, from: &mut End, to: &mut End) {
    for datagram in from.arrivals(now) {
        let Transmit {
            proto,
            source,
            destination,
            contents,
        } = &*datagram.0;
        // What is cut is the way of datagrams; a TCP connection is one that stands.
        if *proto == Protocol::Tcp {
            to.connection
                .on_packet(now, *proto, *source, *destination, contents);
            to.flush(now);
        } else if !cut && *destination == to.seen_as {
            to.connection
                .on_packet(now, *proto, from.seen_as, to.address, contents);
            to.flush(now);
        }
    }
}

pub(super) fn tone(hertz: f64, samples: usize, offset: usize) -> Vec<i16> {
    let angle = |n: usize| (n + offset) as f64 * hertz * std::f64::consts::TAU / 24_000.0;
    (0..samples)
        .map(|n| (angle(n).sin() * 8_000.0) as i16)
        .collect()
}

/// The frequency of decoded packets, by counting zero crossings of the second half.
pub(super) fn frequency(packets: &[AudioPacket]) -> f64 {
    let mut decoder = Decoder::new(Format {
        sample_rate: 24_000,
        channels: 1,
    })
    .unwrap();
    let mut pcm = Vec::new();
    for packet in packets {
        decoder.decode(&packet.payload, &mut pcm).unwrap();
    }
    let pcm = &pcm[pcm.len() / 2..];
    let crossings = pcm
        .windows(2)
        .filter(|pair| (pair[0] < 0) != (pair[1] < 0))
        .count();
    crossings as f64 / 2.0 * 24_000.0 / pcm.len() as f64
}

pub(super) fn negotiated(id: i32) -> DataChannelInit {
    DataChannelInit {
        negotiated: true,
        id,
        ..DataChannelInit::default()
    }
}

pub(super) const SECOND: Duration = Duration::from_secs(1);
