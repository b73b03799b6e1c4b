//! Data channels of a connection: str0m's, and those the application knows.

use std::sync::Arc;

use str0m::channel::ChannelId;

use super::{channels::ChannelShared, connection::Connection, events::Event};
use crate::{RtcError, data_channel::DataChannelState};

impl Connection {
    /// Takes a channel the application made.
    pub(crate) fn add_channel(&mut self, channel: Arc<ChannelShared>) -> Result<(), RtcError> {
        self.channels.add(channel)?;
        if !self.negotiation.has_data() {
            self.need_negotiation();
        }
        self.open_channels();
        Ok(())
    }

    /// Gives str0m the channels it can have now: those that wait, once there is an association.
    pub(super) fn open_channels(&mut self) {
        if !self.negotiation.has_data() {
            return;
        }
        let Self {
            rtc,
            channels,
            negotiation,
            ..
        } = self;
        channels.open_waiting(|config| {
            let taken = |id| {
                // By an id str0m chose, or the peer.
                let known = rtc.direct_api().channel_id_by_sctp_stream_id(id);
                known.is_some() || negotiation.is_stand_in_id(id)
            };
            let free = !config.negotiated.is_some_and(taken);
            free.then(|| rtc.direct_api().create_data_channel(config))
        });
    }

    pub(super) fn on_channel_open(&mut self, id: ChannelId, label: String) {
        if self.negotiation.is_stand_in(&label) {
            return;
        }
        let stream = self.rtc.direct_api().sctp_stream_id_by_channel_id(id);
        let config = self
            .rtc
            .channel(id)
            .and_then(|channel| channel.config().cloned());
        let link = self.link.clone();
        let make = || ChannelShared::new(label, ChannelShared::init_of(config.as_ref()), link);
        self.channels
            .on_open(id, stream, make, &mut self.out.events);
    }

    pub(super) fn on_message(&mut self, id: ChannelId, data: Vec<u8>, binary: bool) {
        let Some(channel) = self.channels.by_handle(id) else {
            return;
        };
        self.stats.on_message(channel, data.len());
        self.out
            .events
            .push(Event::Message(channel.clone(), data, binary));
    }

    /// False when the message was not taken.
    pub(crate) fn send_message(
        &mut self,
        channel: &ChannelShared,
        data: &[u8],
        binary: bool,
    ) -> bool {
        if channel.state() != DataChannelState::Open {
            return false;
        }
        let Some(id) = self.channels.handle(channel) else {
            return false;
        };
        let Some(mut writer) = self.rtc.channel(id) else {
            return false;
        };
        match writer.write(binary, data) {
            Ok(true) => {
                self.stats.on_sent_message(channel, data.len());
                true
            }
            Ok(false) => false,
            Err(error) => {
                tracing::debug!(%error, "message not written");
                false
            }
        }
    }

    pub(crate) fn close_channel(&mut self, channel: &ChannelShared) {
        if let Some(id) = self.channels.close(channel, &mut self.out.events) {
            self.rtc.direct_api().close_data_channel(id);
        }
    }

    pub(super) fn report_buffered(&mut self) {
        let Self {
            rtc, channels, out, ..
        } = self;
        let unacknowledged = |id| {
            rtc.channel(id)
                .map_or(0, |mut channel| channel.buffered_amount() as u64)
        };
        channels.report_buffered(unacknowledged, &mut out.events);
    }
}
