//! Data channels: what the façade and the connection share of each, and the connection's table.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Weak,
        atomic::{AtomicI32, AtomicU8, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use str0m::channel::{ChannelConfig, ChannelId, Reliability};

use super::{callbacks::ChannelCallbacks, events::Event, link::Link};
use crate::{
    RtcError,
    data_channel::{DataBuffer, DataChannelError, DataChannelInit, DataChannelState, OnMessage},
};

/// Unacknowledged bytes that count as being on the wire, not in the buffer. str0m counts until
/// the acknowledgement; users pace themselves by what has not left yet.
const ON_THE_WIRE: u64 = 64 * 1024;
/// Messages kept while no callback is set; then the oldest goes.
const PARKED_LIMIT: usize = 256;

/// One data channel.
pub(crate) struct ChannelShared {
    label: String,
    init: DataChannelInit,
    link: Weak<Link>,
    id: AtomicI32,
    state: AtomicU8,
    callbacks: ChannelCallbacks,
    parked: Mutex<VecDeque<(Vec<u8>, bool)>>,
    pub(crate) counters: Counters,
}

/// Messages and bytes over the life of a channel.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) messages_sent: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    /// Of those, reported as having left the buffer.
    bytes_reported: AtomicU64,
    pub(crate) messages_received: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
}

impl ChannelShared {
    pub(crate) fn new(label: String, init: DataChannelInit, link: Weak<Link>) -> Arc<Self> {
        Arc::new(Self {
            label,
            id: AtomicI32::new(if init.negotiated { init.id } else { -1 }),
            init,
            link,
            state: AtomicU8::new(DataChannelState::Connecting as u8),
            callbacks: ChannelCallbacks::default(),
            parked: Mutex::default(),
            counters: Counters::default(),
        })
    }

    pub(crate) fn send(&self, data: &[u8], binary: bool) -> Result<(), DataChannelError> {
        if self.state() != DataChannelState::Open {
            return Err(DataChannelError::Send);
        }
        let link = self.link.upgrade().ok_or(DataChannelError::Send)?;
        let sent = link.with(|connection, _| connection.send_message(self, data, binary));
        match sent {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(DataChannelError::Send),
        }
    }

    pub(crate) fn close(&self) {
        if let Some(link) = self.link.upgrade() {
            // A closed connection has no open channel.
            let _ = link.with(|connection, _| connection.close_channel(self));
        }
    }

    pub(crate) fn id(&self) -> i32 {
        self.id.load(Ordering::Acquire)
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn protocol(&self) -> &str {
        &self.init.protocol
    }

    pub(crate) fn state(&self) -> DataChannelState {
        match self.state.load(Ordering::Acquire) {
            0 => DataChannelState::Connecting,
            1 => DataChannelState::Open,
            2 => DataChannelState::Closing,
            _ => DataChannelState::Closed,
        }
    }

    pub(crate) fn buffered_amount(&self) -> u64 {
        let sent = self.counters.bytes_sent.load(Ordering::Acquire);
        sent.saturating_sub(self.counters.bytes_reported.load(Ordering::Acquire))
    }

    pub(crate) fn callbacks(&self) -> &ChannelCallbacks {
        &self.callbacks
    }

    pub(crate) fn set_on_message(self: &Arc<Self>, callback: Option<OnMessage>) {
        self.callbacks.message.set(callback);
        if !self.parked.lock().is_empty()
            && let Some(link) = self.link.upgrade()
        {
            link.post(Event::Unpark(self.clone()));
        }
    }

    /// On the event thread: hands a message over, or keeps it until there is a callback.
    pub(crate) fn deliver(&self, data: Vec<u8>, binary: bool) {
        if self.callbacks.message.is_set() {
            self.unpark();
            self.callbacks.message.call(|f| {
                f(DataBuffer {
                    data: &data,
                    binary,
                })
            });
            return;
        }
        let mut parked = self.parked.lock();
        if parked.len() == PARKED_LIMIT {
            parked.pop_front();
        }
        parked.push_back((data, binary));
    }

    /// On the event thread: hands over what was kept.
    pub(crate) fn unpark(&self) {
        let parked = std::mem::take(&mut *self.parked.lock());
        for (data, binary) in parked {
            self.callbacks.message.call(|f| {
                f(DataBuffer {
                    data: &data,
                    binary,
                })
            });
        }
    }

    /// False when it was that state already.
    fn set_state(&self, state: DataChannelState) -> bool {
        self.state.swap(state as u8, Ordering::AcqRel) != state as u8
    }

    fn config(&self) -> ChannelConfig {
        let clamp = |value: i32| u16::try_from(value.max(0)).unwrap_or(u16::MAX);
        let reliability = match (self.init.max_retransmits, self.init.max_retransmit_time) {
            (Some(retransmits), _) => Reliability::MaxRetransmits {
                retransmits: clamp(retransmits),
            },
            (None, Some(millis)) => Reliability::MaxPacketLifetime {
                lifetime: clamp(millis),
            },
            (None, None) => Reliability::Reliable,
        };
        ChannelConfig {
            label: self.label.clone(),
            ordered: self.init.ordered,
            reliability,
            negotiated: self.init.negotiated.then(|| clamp(self.init.id)),
            protocol: self.init.protocol.clone(),
        }
    }
}

/// Refuses settings that contradict each other.
pub(crate) fn check(init: &DataChannelInit) -> Result<(), RtcError> {
    if init.negotiated && !(0..=65_534).contains(&init.id) {
        return Err(RtcError::invalid_state(
            "a negotiated channel needs an id of 0 to 65534",
        ));
    }
    if init.max_retransmits.is_some() && init.max_retransmit_time.is_some() {
        return Err(RtcError::invalid_state(
            "a channel is limited by retransmissions or by time, not by both",
        ));
    }
    Ok(())
}

/// The channels of one connection.
#[derive(Default)]
pub(crate) struct ChannelTable {
    rows: Vec<Row>,
    /// The connection is over: str0m may still hold what was open on it.
    is_over: bool,
    pub(crate) opened: u32,
    pub(crate) closed: u32,
}

struct Row {
    channel: Arc<ChannelShared>,
    /// str0m's number; `None` while the association is not there, or the stream id is taken by a
    /// channel that is being closed.
    handle: Option<ChannelId>,
}

impl ChannelTable {
    /// Takes a channel the application made.
    pub(crate) fn add(&mut self, channel: Arc<ChannelShared>) -> Result<(), RtcError> {
        if self.is_over {
            return Err(RtcError::invalid_state("the connection is closed"));
        }
        let duplicate = |row: &Row| {
            row.channel.init.negotiated
                && row.channel.init.id == channel.init.id
                && row.channel.state() != DataChannelState::Closing
        };
        if channel.init.negotiated && self.rows.iter().any(duplicate) {
            return Err(RtcError::invalid_state(
                "the id of the negotiated channel is in use",
            ));
        }
        self.rows.push(Row {
            channel,
            handle: None,
        });
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<ChannelShared>> {
        self.rows.iter().map(|row| &row.channel)
    }

    /// Channels to be made now, with their settings. str0m panics on a stream id in use, so a
    /// negotiated id waits until the channel that has it is gone. `open` answers `None` when the id
    /// is taken by a channel that is not in the table under it.
    pub(crate) fn open_waiting(
        &mut self,
        mut open: impl FnMut(ChannelConfig) -> Option<ChannelId>,
    ) {
        for at in 0..self.rows.len() {
            let row = &self.rows[at];
            let negotiated = row.channel.init.negotiated.then_some(row.channel.init.id);
            let taken =
                |other: &Row| other.handle.is_some() && Some(other.channel.id()) == negotiated;
            if row.handle.is_some() || self.rows.iter().any(taken) {
                continue;
            }
            self.rows[at].handle = open(self.rows[at].channel.config());
        }
    }

    pub(crate) fn handle(&self, channel: &ChannelShared) -> Option<ChannelId> {
        self.rows
            .iter()
            .find(|row| std::ptr::eq(&*row.channel, channel))?
            .handle
    }

    pub(crate) fn by_handle(&self, handle: ChannelId) -> Option<&Arc<ChannelShared>> {
        self.rows
            .iter()
            .find(|row| row.handle == Some(handle))
            .map(|row| &row.channel)
    }

    /// A channel opened; one we do not know was opened by the peer.
    pub(crate) fn on_open(
        &mut self,
        handle: ChannelId,
        stream: Option<u16>,
        make: impl FnOnce() -> Arc<ChannelShared>,
        events: &mut Vec<Event>,
    ) {
        let known = self.by_handle(handle).cloned();
        let channel = known.clone().unwrap_or_else(make);
        channel
            .id
            .store(stream.map_or(-1, i32::from), Ordering::Release);
        if known.is_none() {
            self.rows.push(Row {
                channel: channel.clone(),
                handle: Some(handle),
            });
        }
        if channel.state() != DataChannelState::Connecting {
            return;
        }
        channel.set_state(DataChannelState::Open);
        self.opened += 1;
        if known.is_none() {
            events.push(Event::DataChannel(channel.clone()));
        }
        events.push(Event::ChannelState(channel, DataChannelState::Open));
    }

    /// A channel is gone.
    pub(crate) fn on_close(&mut self, handle: ChannelId, events: &mut Vec<Event>) {
        let Some(at) = self.rows.iter().position(|row| row.handle == Some(handle)) else {
            return;
        };
        let channel = self.rows.remove(at).channel;
        self.closed += 1;
        finish(&channel, events);
    }

    /// The application closes a channel; `Some` = tell str0m. One that never opened goes at once.
    pub(crate) fn close(
        &mut self,
        channel: &ChannelShared,
        events: &mut Vec<Event>,
    ) -> Option<ChannelId> {
        let at = self
            .rows
            .iter()
            .position(|row| std::ptr::eq(&*row.channel, channel))?;
        if self.rows[at].handle.is_none() {
            let channel = self.rows.remove(at).channel;
            finish(&channel, events);
            return None;
        }
        let channel = &self.rows[at].channel;
        if channel.set_state(DataChannelState::Closing) {
            events.push(Event::ChannelState(
                channel.clone(),
                DataChannelState::Closing,
            ));
        }
        self.rows[at].handle
    }

    /// The connection is over, and all channels with it.
    pub(crate) fn close_all(&mut self, events: &mut Vec<Event>) {
        self.is_over = true;
        for row in self.rows.drain(..) {
            finish(&row.channel, events);
        }
    }

    /// Reports what left the buffers. `unacknowledged` asks str0m.
    pub(crate) fn report_buffered(
        &self,
        mut unacknowledged: impl FnMut(ChannelId) -> u64,
        events: &mut Vec<Event>,
    ) {
        for row in &self.rows {
            let Some(handle) = row.handle else { continue };
            let counters = &row.channel.counters;
            let sent = counters.bytes_sent.load(Ordering::Acquire);
            let reported = counters.bytes_reported.load(Ordering::Acquire);
            if sent == reported {
                continue;
            }
            let waiting = unacknowledged(handle).saturating_sub(ON_THE_WIRE);
            let left = sent.saturating_sub(waiting);
            if left > reported {
                counters.bytes_reported.store(left, Ordering::Release);
                events.push(Event::Buffered(row.channel.clone(), left - reported));
            }
        }
    }
}

fn finish(channel: &Arc<ChannelShared>, events: &mut Vec<Event>) {
    if channel.set_state(DataChannelState::Closed) {
        events.push(Event::ChannelState(
            channel.clone(),
            DataChannelState::Closed,
        ));
    }
}

impl ChannelShared {
    /// Settings of a channel the peer opened.
    pub(crate) fn init_of(config: Option<&ChannelConfig>) -> DataChannelInit {
        let Some(config) = config else {
            return DataChannelInit::default();
        };
        let mut init = DataChannelInit {
            ordered: config.ordered,
            protocol: config.protocol.clone(),
            ..DataChannelInit::default()
        };
        match config.reliability {
            Reliability::Reliable => {}
            Reliability::MaxPacketLifetime { lifetime } => {
                init.max_retransmit_time = Some(i32::from(lifetime));
            }
            Reliability::MaxRetransmits { retransmits } => {
                init.max_retransmits = Some(i32::from(retransmits));
            }
        }
        init
    }

    /// Whether a lost message is lost for good.
    pub(crate) fn is_lossy(&self) -> bool {
        self.init.max_retransmits.is_some() || self.init.max_retransmit_time.is_some()
    }
}
