//! Data channels: messages beside the media.

use std::{fmt, str::Utf8Error, sync::Arc};

use serde::Deserialize;
use thiserror::Error;

use crate::{engine::channels::ChannelShared, rtp_parameters::Priority};

/// How a data channel behaves (RFC 8832).
#[derive(Clone, Debug)]
pub struct DataChannelInit {
    /// Messages arrive in the order they were sent.
    pub ordered: bool,
    /// Give up on a message after this many milliseconds.
    pub max_retransmit_time: Option<i32>,
    /// Give up on a message after this many retransmissions.
    pub max_retransmits: Option<i32>,
    /// Subprotocol, named in the opening message.
    pub protocol: String,
    /// Both sides make the channel themselves, with the same [`id`](Self::id).
    pub negotiated: bool,
    /// Stream id, 0–65534; −1 lets the engine choose one.
    pub id: i32,
    /// Accepted and ignored: all channels have the same priority.
    pub priority: Option<Priority>,
}

impl Default for DataChannelInit {
    fn default() -> Self {
        Self {
            ordered: true,
            max_retransmit_time: None,
            max_retransmits: None,
            protocol: String::new(),
            negotiated: false,
            id: -1,
            priority: None,
        }
    }
}

/// Why a message was not taken.
#[derive(Debug, Error)]
pub enum DataChannelError {
    /// The channel is not open, or its send buffer is full.
    #[error("the data channel is not open or its send buffer is full")]
    Send,
    /// A text message must be UTF-8.
    #[error("a text message must be UTF-8")]
    Utf8(#[from] Utf8Error),
}

/// Life of a data channel.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataChannelState {
    /// Not yet usable.
    Connecting,
    /// Messages may be sent.
    Open,
    /// Being closed.
    Closing,
    /// Over.
    Closed,
}

/// A received message, lent to the callback.
#[derive(Debug)]
pub struct DataBuffer<'a> {
    /// The message.
    pub data: &'a [u8],
    /// Binary (`true`) or UTF-8 text.
    pub binary: bool,
}

/// Called after each change of state.
pub type OnStateChange = Box<dyn FnMut(DataChannelState) + Send + Sync>;
/// Called with each message.
pub type OnMessage = Box<dyn FnMut(DataBuffer<'_>) + Send + Sync>;
/// Called with a number of bytes that left the send buffer. The sum of all calls is the number of
/// bytes sent.
pub type OnBufferedAmountChange = Box<dyn FnMut(u64) + Send + Sync>;

/// Handle of a data channel; clones name the same channel.
#[derive(Clone)]
pub struct DataChannel {
    pub(crate) inner: Arc<ChannelShared>,
}

impl DataChannel {
    /// Copies the message into the send buffer; never waits.
    ///
    /// # Errors
    /// [`DataChannelError::Send`] unless the channel is open and has room;
    /// [`DataChannelError::Utf8`] for a text message that is not UTF-8.
    pub fn send(&self, data: &[u8], binary: bool) -> Result<(), DataChannelError> {
        if !binary {
            std::str::from_utf8(data)?;
        }
        self.inner.send(data, binary)
    }

    /// The stream id, or −1 while none is assigned.
    pub fn id(&self) -> i32 {
        self.inner.id()
    }

    /// The label given at creation.
    pub fn label(&self) -> String {
        self.inner.label().to_owned()
    }

    /// Where the channel is in its life.
    pub fn state(&self) -> DataChannelState {
        self.inner.state()
    }

    /// Closes the channel; what is buffered is still sent.
    pub fn close(&self) {
        self.inner.close();
    }

    /// Bytes taken by [`send`](Self::send) and not yet handed to the network.
    pub fn buffered_amount(&self) -> u64 {
        self.inner.buffered_amount()
    }

    /// Replaces the state callback.
    pub fn on_state_change(&self, callback: Option<OnStateChange>) {
        self.inner.callbacks().state.set(callback);
    }

    /// Replaces the message callback. Messages that came while none was set are delivered to it
    /// first (up to 256 of them, then the oldest go).
    pub fn on_message(&self, callback: Option<OnMessage>) {
        self.inner.set_on_message(callback);
    }

    /// Replaces the buffered-amount callback.
    pub fn on_buffered_amount_change(&self, callback: Option<OnBufferedAmountChange>) {
        self.inner.callbacks().buffered.set(callback);
    }
}

impl fmt::Debug for DataChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataChannel")
            .field("id", &self.id())
            .field("label", &self.label())
            .field("state", &self.state())
            .finish()
    }
}
