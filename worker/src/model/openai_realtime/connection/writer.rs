//! Writer of one connection: orders first, then audio, and a ping now and then.
//!
//! Owns the sending half. While the socket is behind, it waits here and the audio collects in the
//! uplink, so the next append carries several frames; nothing is lost before a whole second. It
//! reads nothing and knows no deadlines of the conversation.

use std::{borrow::Cow, time::Duration};

use bytes::{Bytes, BytesMut};
use dialog::model::Order;
use futures_util::{SinkExt, stream::SplitSink};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at, sleep, timeout},
};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::{
    media::Pcm,
    model::{
        SessionSettings, Uplink,
        link::Timings,
        openai_realtime::{
            socket::{LONGEST_MESSAGE, Socket},
            translate::order_json,
            wire::{audio::AudioEncoder, client_event::append_json},
        },
    },
};

/// Most audio in one append, when frames merge. 1 s: a small message even after an outage.
const LONGEST_APPEND: Duration = Duration::from_secs(1);

/// The memory of a longer append is not kept, in bytes: 100 ms of sound are half of it.
const KEPT_TEXT: usize = 16 * 1024;

pub(super) struct Writer<'a> {
    sink: SplitSink<Socket, Message>,
    /// With the instructions and the tools that are in force.
    settings: Cow<'a, SessionSettings>,
    uplink: &'a Uplink,
    encoder: AudioEncoder,
    /// Scratch of one append.
    frames: Vec<Pcm>,
    /// Where appends are written, one in the place of the other.
    text: BytesMut,
    appends: u64,
    orders: u64,
    /// Kept audio waits for the replay of the conversation, which comes as orders.
    holds_audio: bool,
    timings: Timings,
}

/// How writing ended.
#[derive(Debug)]
pub(super) enum WriterEnd {
    /// The socket takes nothing more.
    Broken,
    /// A spare takes over: what was not written yet is for it.
    Rotate,
    /// The driver is gone.
    Unwanted,
}

enum Wake {
    Audio,
    Order(Option<Order>),
    Ping,
    ReplayOverdue,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        sink: SplitSink<Socket, Message>,
        settings: &'a SessionSettings,
        uplink: &'a Uplink,
        is_replay: bool,
        timings: Timings,
    ) -> Self {
        Self {
            sink,
            settings: Cow::Borrowed(settings),
            uplink,
            encoder: AudioEncoder::default(),
            frames: Vec::new(),
            text: BytesMut::new(),
            appends: 0,
            orders: 0,
            holds_audio: is_replay,
            timings,
        }
    }

    pub(super) async fn run(&mut self, orders: &mut mpsc::Receiver<Order>) -> WriterEnd {
        let mut pings = interval_at(Instant::now() + self.timings.ping, self.timings.ping);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let overdue = sleep(self.timings.replay);
        tokio::pin!(overdue);
        loop {
            let wake = tokio::select! {
                biased;
                order = orders.recv() => Wake::Order(order),
                () = self.uplink.ready(), if !self.holds_audio => Wake::Audio,
                () = &mut overdue, if self.holds_audio => Wake::ReplayOverdue,
                _ = pings.tick() => Wake::Ping,
            };
            let written = match wake {
                Wake::Audio => self.write_audio().await,
                Wake::Order(Some(Order::Rotate)) => return WriterEnd::Rotate,
                Wake::Order(Some(order)) => self.on_order(&order).await,
                Wake::Order(None) => return WriterEnd::Unwanted,
                Wake::Ping => self.write(Message::Ping(Bytes::new())).await,
                Wake::ReplayOverdue => {
                    self.holds_audio = false;
                    Ok(())
                }
            };
            if written.is_err() {
                return WriterEnd::Broken;
            }
        }
    }

    pub(super) async fn say_goodbye(&mut self) {
        // A server that does not listen any more gets no goodbye.
        let _ = timeout(self.timings.close, self.sink.send(Message::Close(None))).await;
    }

    /// The first order that tells nothing of before ends the replay: what people said while the link
    /// was down belongs between the two.
    async fn on_order(&mut self, order: &Order) -> Result<(), Broken> {
        let is_replay = matches!(
            order,
            Order::Equip(_) | Order::HearAgain(_) | Order::Instruct(_) | Order::Item(_)
        );
        if self.holds_audio && !is_replay {
            self.holds_audio = false;
            self.write_kept_audio().await?;
        }
        if matches!(order, Order::ClearInput | Order::Commit) {
            // Both are about everything that was said before.
            self.write_kept_audio().await?;
        }
        if *order == Order::ClearInput {
            self.uplink.turn_is_over();
            self.uplink.turn_begins(None);
        }
        if let Order::HearAgain(items) = order {
            self.uplink.hear_again(items);
            return Ok(());
        }
        if let Order::Instruct(instructions) = order {
            self.settings.to_mut().instructions.clone_from(instructions);
        }
        if let Order::Equip(names) = order {
            self.settings.to_mut().equip(names);
        }
        self.orders += 1;
        match order_json(order, self.orders, &self.settings) {
            Some(json) if json.len() <= LONGEST_MESSAGE => self.write(Message::text(json)).await,
            Some(json) => {
                tracing::error!(
                    bytes = json.len(),
                    "order is too long for the model, dropped"
                );
                Ok(())
            }
            None => {
                tracing::error!("order is not known to this provider, dropped");
                Ok(())
            }
        }
    }

    async fn write_kept_audio(&mut self) -> Result<(), Broken> {
        while self.write_some_audio().await? {}
        Ok(())
    }

    async fn write_audio(&mut self) -> Result<(), Broken> {
        self.write_some_audio().await.map(drop)
    }

    /// One append with what has come together; tells whether there was any.
    async fn write_some_audio(&mut self) -> Result<bool, Broken> {
        self.frames.clear();
        self.uplink.take(LONGEST_APPEND, &mut self.frames);
        if self.frames.is_empty() {
            return Ok(false);
        }
        self.appends += 1;
        let Self {
            encoder,
            frames,
            text,
            ..
        } = self;
        let json = append_json(self.appends, frames, encoder, text);
        if json.len() > KEPT_TEXT {
            self.text = BytesMut::new();
        }
        // Whether or not it arrives: nobody knows what a connection that breaks has read.
        self.uplink.told(self.frames.drain(..));
        // As a frame, because what was written by hand needs no look whether it is a text.
        let frame = Frame::message(json, OpCode::Data(Data::Text), true);
        self.write(Message::Frame(frame)).await?;
        Ok(true)
    }

    async fn write(&mut self, message: Message) -> Result<(), Broken> {
        self.sink.send(message).await.map_err(|_| Broken)
    }
}

/// The socket takes nothing more; the reader knows why.
struct Broken;
