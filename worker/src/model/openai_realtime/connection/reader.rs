//! Task: reads one connection: samples to the playout at once, facts to the driver in order.
//!
//! Owns the receiving half, the translator and the outbox. A message it does not understand is
//! counted and skipped. It also notices silence: pings go out regularly, so a connection on which
//! nothing arrives for a while is dead. It decides nothing about the conversation.

use std::sync::Arc;

use dialog::model::Event;
use futures_util::{StreamExt, stream::SplitStream};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::End;
use crate::{
    model::{
        AudioOut, LinkEvent, RemoteServer, Uplink,
        link::Timings,
        openai_realtime::{
            socket::Socket,
            take_listing,
            translate::{Fact, Translator},
            wire::server_event::ServerEvent,
        },
        outbox::Outbox,
    },
    telemetry::event::{ModelEventReceived, ModelEventUnknown, ProtocolError},
};

pub(super) struct Reader {
    stream: SplitStream<Socket>,
    out: Arc<dyn AudioOut>,
    uplink: Uplink,
    events: mpsc::Sender<LinkEvent>,
    /// Whose tools the provider may call.
    servers: Vec<Arc<RemoteServer>>,
    outbox: Outbox,
    translator: Translator,
    /// Scratch of one event.
    facts: Vec<Fact>,
    /// When the last frame of any kind arrived.
    heard: Instant,
    timings: Timings,
}

enum Wake {
    Frame(Option<Result<Message, WsError>>),
    /// A fact was handed to the driver.
    Sent,
    /// The driver is gone.
    Unwanted,
    Silence,
}

impl Reader {
    pub(super) fn new(
        stream: SplitStream<Socket>,
        out: Arc<dyn AudioOut>,
        uplink: Uplink,
        events: mpsc::Sender<LinkEvent>,
        servers: Vec<Arc<RemoteServer>>,
        timings: Timings,
    ) -> Self {
        Self {
            stream,
            out,
            uplink,
            events,
            servers,
            outbox: Outbox::default(),
            translator: Translator::default(),
            facts: Vec::new(),
            heard: Instant::now(),
            timings,
        }
    }

    pub(super) async fn run(mut self) -> End {
        let end = self.read().await;
        // What was spoken stays audible; it just will not go on.
        for (response, item) in self.translator.into_unfinished() {
            self.out.finish(&response, &item);
        }
        while let Some(fact) = self.outbox.pop() {
            if self.events.send(fact).await.is_err() {
                return End::Unwanted;
            }
        }
        end
    }

    async fn read(&mut self) -> End {
        let silence = sleep_until(self.heard + self.timings.silence);
        tokio::pin!(silence);
        loop {
            let wake = tokio::select! {
                biased;
                permit = self.events.reserve(), if !self.outbox.is_empty() => match permit {
                    Ok(permit) => {
                        if let Some(fact) = self.outbox.pop() {
                            permit.send(fact);
                        }
                        Wake::Sent
                    }
                    Err(_) => Wake::Unwanted,
                },
                frame = self.stream.next(), if !self.outbox.is_full() => Wake::Frame(frame),
                () = &mut silence => Wake::Silence,
            };
            match wake {
                Wake::Frame(frame) => {
                    self.heard = Instant::now();
                    if let Some(end) = self.on_frame(frame) {
                        return end;
                    }
                }
                Wake::Sent => {}
                Wake::Silence => match self.silent_until() {
                    Some(later) => silence.as_mut().reset(later),
                    None => return End::stalled(),
                },
                Wake::Unwanted => return End::Unwanted,
            }
        }
    }

    /// When to look again; `None` = the connection is dead. While the driver holds us up, the
    /// silence is our own.
    fn silent_until(&self) -> Option<Instant> {
        let now = Instant::now();
        let limit = self.timings.silence;
        if self.outbox.is_full() {
            return Some(now + limit);
        }
        let dead_at = self.heard + limit;
        (dead_at > now).then_some(dead_at)
    }

    fn on_frame(&mut self, frame: Option<Result<Message, WsError>>) -> Option<End> {
        match frame {
            Some(Ok(Message::Text(text))) => self.on_text(&text),
            Some(Ok(Message::Binary(_))) => {
                ProtocolError {
                    link: "model",
                    what: "binary message",
                }
                .emit();
                None
            }
            Some(Ok(Message::Close(frame))) => {
                Some(End::closed(frame.map(|frame| frame.code.into())))
            }
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(End::from_socket(&error)),
            None => Some(End::network()),
        }
    }

    fn on_text(&mut self, text: &str) -> Option<End> {
        let Ok(event) = ServerEvent::parse(text) else {
            ProtocolError {
                link: "model",
                what: "not a usable event",
            }
            .emit();
            return None;
        };
        let kind = event.kind();
        ModelEventReceived { kind }.emit();
        let mut facts = std::mem::take(&mut self.facts);
        self.translator.translate(event, &mut facts);
        let mut end = None;
        for fact in facts.drain(..) {
            if let Some(reason) = self.on_fact(fact) {
                end.get_or_insert(reason);
            }
        }
        self.facts = facts;
        end
    }

    fn on_fact(&mut self, fact: Fact) -> Option<End> {
        match fact {
            Fact::Audio {
                response,
                item,
                pcm,
            } => {
                let duration = pcm.duration();
                self.out.push(&response, &item, pcm);
                self.outbox.push(Event::AudioReceived {
                    response,
                    item,
                    duration,
                });
            }
            Fact::AudioDone { response, item } => {
                self.out.finish(&response, &item);
                self.outbox.push(Event::AudioDone { response, item });
            }
            Fact::Event(event) => {
                match &event {
                    Event::Committed { item } => self.uplink.turn_is_item(item.clone()),
                    Event::UserTranscript {
                        item,
                        is_final: true,
                        ..
                    } => self.uplink.item_is_known(item),
                    _ => {}
                }
                self.outbox.push(event);
            }
            Fact::Listed { server, tools } => take_listing(&self.servers, &server, &tools),
            Fact::Refused { code } => return Some(End::refused(&code)),
            Fact::TurnBegins(at) => self.uplink.turn_begins(at),
            Fact::Unknown { kind } => {
                ModelEventUnknown.emit();
                tracing::debug!(kind, "event type is not known");
            }
            Fact::Unusable(what) => ProtocolError {
                link: "model",
                what,
            }
            .emit(),
        }
        None
    }
}
