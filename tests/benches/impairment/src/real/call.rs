//! Adapter: a speaker and a listener in one room, and both receivers on the listener's packets.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use libwebrtc::ext::{self, Packet, Tap};
use livekit::prelude::*;
use tests::{
    livekit_server::{LivekitServer, Pass},
    microphone::{self, Microphone},
    user::configure_engine,
};
use tokio::{sync::mpsc, task::JoinSet};

use super::since;
use crate::{
    Result,
    receivers::{ArrivalRun, FRAME, PacedRun},
    speech,
    stream::Given,
    tally::{Receiver, Row, Tally},
};

/// Packets a tap keeps: more than a row has.
const KEPT: usize = 16_384;
/// Something that does not come in this time does not come.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is under way when a row ends may still come.
const UNDER_WAY: Duration = Duration::from_millis(600);

/// Somebody who speaks without end, and an ear.
pub(super) struct Call {
    _rooms: [Room; 2],
    _speaking: JoinSet<()>,
    sent: Tap,
    heard: Tap,
}

/// A packet as it left.
struct Sent {
    at: Instant,
    payload: Bytes,
}

/// What happened to the listener, in order.
enum Event {
    /// A packet came out of the engine.
    Packet(Packet),
    /// A deadline or a tick was served.
    Time(Instant),
}

impl Call {
    pub(super) async fn start(server: &LivekitServer) -> Result<Self> {
        configure_engine();
        let url = server.url();
        let join = |who: &'static str| {
            let (url, token) = (url.clone(), Pass::of(who, "impairment").token());
            async move { Room::connect(&url, &token, RoomOptions::default()).await }
        };
        let (listener, events) = join("listener").await?;
        let (speaker, _) = join("speaker").await?;
        let voice = Microphone::new(0);
        let sent = voice.tap(KEPT);
        let options = microphone::without_dtx();
        voice.publish(&speaker, options).await?;
        let mut speaking = JoinSet::new();
        speaking.spawn(speak(voice));
        let mut heard = tokio::time::timeout(PATIENCE, subscribed(events)).await??;
        let first = tokio::time::timeout(PATIENCE, heard.recv()).await;
        first.map_err(|_| "subscribed, and nothing is heard")?;
        Ok(Self {
            _rooms: [listener, speaker],
            _speaking: speaking,
            sent,
            heard,
        })
    }

    /// Listens for that long with two fresh receivers.
    pub(super) async fn measure(&mut self, name: &str, time: Duration) -> Result<Vec<Row>> {
        while self.sent.try_recv().is_some() {}
        while self.heard.try_recv().is_some() {}
        let start = Instant::now();
        let ends = start + time;
        let mut arrival = ArrivalRun::new(start);
        let mut events = Vec::new();
        let mut tick = start;
        let over = ends + UNDER_WAY;
        while Instant::now() < over {
            let due = arrival.deadline().map_or(tick, |due| due.min(tick));
            let packet = tokio::select! {
                biased;
                packet = self.heard.recv() => Some(packet.ok_or("the track ended")?),
                () = tokio::time::sleep_until(due.into()) => None,
            };
            let now = Instant::now();
            match packet {
                Some(packet) => {
                    arrival.on_packet(&packet, now);
                    events.push(Event::Packet(packet));
                }
                None => {
                    arrival.on_time(now);
                    while tick <= now {
                        events.push(Event::Time(tick));
                        tick += FRAME;
                    }
                }
            }
        }
        let sent = std::iter::from_fn(|| self.sent.try_recv());
        let sent: HashMap<u64, Sent> = sent
            .filter(|packet| packet.arrival < ends)
            .map(|packet| {
                let sent = Sent {
                    at: packet.arrival,
                    payload: packet.payload,
                };
                (packet.sequence, sent)
            })
            .collect();
        evaluate(name, start, &sent, arrival, &events)
    }
}

/// Finds out which packet is which, and what became of it.
fn evaluate(
    name: &str,
    start: Instant,
    sent: &HashMap<u64, Sent>,
    arrival: ArrivalRun,
    events: &[Event],
) -> Result<Vec<Row>> {
    let packets = || {
        events.iter().filter_map(|event| match event {
            Event::Packet(packet) => Some(packet),
            Event::Time(_) => None,
        })
    };
    let offset = offset(sent, packets());
    let offset = offset.ok_or_else(|| {
        let heard = packets().count();
        format!(
            "none of {heard} packets is one of the {} that were sent",
            sent.len()
        )
    })?;
    // From the first packet heard to the last one sent.
    let first = packets().map(|packet| packet.sequence).min();
    let first = first.ok_or("nothing was heard")?;
    let last = sent.keys().max().ok_or("nothing was sent")?;
    let count = (last + 1).saturating_sub(first.wrapping_sub(offset));
    let number = |sequence: u64| Some(sequence - first).filter(|number| *number < count);
    let mut given: Vec<Given> = packets()
        .filter_map(|packet| {
            Some(Given {
                at: since(start, packet.arrival),
                number: number(packet.sequence)?,
                is_copy: false,
            })
        })
        .collect();
    // What is handed out in one moment came in one packet: the newest itself, the others copies.
    for at in 1..given.len() {
        let (before, this) = given.split_at_mut(at);
        let before = &mut before[at - 1];
        before.is_copy = before.at == this[0].at && before.number < this[0].number;
    }
    let speech: Vec<Bytes> = (0..count)
        .map(|number| {
            let sent = sent.get(&(first.wrapping_sub(offset) + number));
            sent.map(|sent| sent.payload.clone()).unwrap_or_default()
        })
        .collect();
    let sending = |number: u64| {
        let sent = sent.get(&(first.wrapping_sub(offset) + number));
        sent.map(|sent| since(start, sent.at))
    };
    let mut paced = PacedRun::new(Tally::new(count, &given, &speech).measured());
    for event in events {
        match event {
            Event::Packet(packet) => paced.insert(packet.clone()),
            Event::Time(at) => paced.tick(since(start, *at), start, &number),
        }
    }
    let heard = arrival.into_tally(Tally::new(count, &given, &speech).measured(), &number);
    let mut paced = paced.into_tally();
    paced.0.delays_from(&sending);
    Ok(vec![
        heard.0.row(Receiver::Arrival, name, heard.1),
        paced.0.row(Receiver::Paced, name, paced.1),
    ])
}

/// How far the server's sequence numbers are from the speaker's: most packets agree.
fn offset<'a>(sent: &HashMap<u64, Sent>, heard: impl Iterator<Item = &'a Packet>) -> Option<u64> {
    let numbers: HashMap<&Bytes, u64> = sent.iter().map(|(n, sent)| (&sent.payload, *n)).collect();
    let mut votes: HashMap<u64, u32> = HashMap::new();
    for packet in heard {
        if let Some(number) = numbers.get(&packet.payload) {
            *votes
                .entry(packet.sequence.wrapping_sub(*number))
                .or_default() += 1;
        }
    }
    votes
        .into_iter()
        .max_by_key(|(_, votes)| *votes)
        .map(|(offset, _)| offset)
}

async fn subscribed(mut events: mpsc::UnboundedReceiver<RoomEvent>) -> Result<Tap> {
    while let Some(event) = events.recv().await {
        if let RoomEvent::TrackSubscribed {
            track: RemoteTrack::Audio(track),
            ..
        } = event
        {
            return Ok(ext::tap_remote(&track.rtc_track(), KEPT).ok_or("a remote track")?);
        }
    }
    Err("the room is gone".into())
}

/// Says the clips over and over, in real time.
async fn speak(voice: Microphone) {
    let pcm = speech::pcm();
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    for chunk in pcm.chunks_exact(microphone::FRAME).cycle() {
        ticks.tick().await;
        if voice.capture(chunk).await.is_err() {
            return;
        }
    }
}
