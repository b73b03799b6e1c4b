//! Data channels as the façade and the connection share them.

use crate::{
    data_channel::{DataChannelError, DataChannelState, OnMessage},
    engine::callbacks::ChannelCallbacks,
};

/// One data channel.
pub(crate) struct ChannelShared {
    label: String,
    callbacks: ChannelCallbacks,
}

impl ChannelShared {
    pub(crate) fn send(&self, _data: &[u8], _binary: bool) -> Result<(), DataChannelError> {
        Err(DataChannelError::Send)
    }

    pub(crate) fn id(&self) -> i32 {
        -1
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    pub(crate) fn state(&self) -> DataChannelState {
        DataChannelState::Closed
    }

    pub(crate) fn close(&self) {}

    pub(crate) fn buffered_amount(&self) -> u64 {
        0
    }

    pub(crate) fn callbacks(&self) -> &ChannelCallbacks {
        &self.callbacks
    }

    pub(crate) fn set_on_message(&self, callback: Option<OnMessage>) {
        self.callbacks.message.set(callback);
    }
}
