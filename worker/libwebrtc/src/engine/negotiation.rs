//! Offer and answer over str0m's own: W3C signalling states, the text that counts, rollback.
//!
//! str0m keeps its own record of what it offered, so the text that comes back from the caller may
//! be edited. It knows one outstanding offer, which every later change kills; so nothing is
//! changed while one is out: channels wait, and a second offer is refused.

use std::sync::Arc;

use str0m::{
    Candidate,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    channel::ChannelConfig,
    media::{Direction, MediaKind, Mid},
};

use super::{
    connection::Connection, events::Event, reason::StateReason, sdp_text,
    transceivers::TransceiverShared,
};
use crate::{
    MediaType, RtcError,
    peer_connection::SignalingState,
    rtp_transceiver::{RtpTransceiverDirection, RtpTransceiverInit},
    session_description::{SdpType, SessionDescription},
};

/// Label of the channel that stands in for the first one in an offer: str0m opens a data section only
/// together with a channel.
const STAND_IN: &str = "libwebrtc-stand-in";
/// Its first stream id; the next one, if an offer was dropped, is one lower. Far from the ids
/// applications choose, and below the 1,024 streams Google's engine opens.
const STAND_IN_ID: u16 = 1_023;

/// Where offer and answer stand.
#[derive(Default)]
pub(crate) struct Negotiation {
    /// Made, not yet set as the local description.
    created: Option<Offer>,
    /// Set as the local description, not yet answered.
    pending: Option<Offer>,
    /// Our answer to the peer's offer, not yet set.
    answer: Option<String>,
    /// The peer's offer that `answer` answers.
    offered: Option<String>,
    current_local: Option<SessionDescription>,
    current_remote: Option<SessionDescription>,
    fingerprints: Option<Vec<String>>,
    /// The peer's ICE user name; another one means that a new search for a path begins.
    remote_ufrag: Option<String>,
    restart_wanted: bool,
    stand_ins: u16,
    /// There is a data section in force.
    data: bool,
}

struct Offer {
    /// `None` = the text repeats what is in force, str0m knows nothing of it.
    change: Option<SdpPendingOffer>,
    text: String,
    /// Sections it would add.
    sections: Vec<(Arc<TransceiverShared>, Mid)>,
}

impl Negotiation {
    pub(crate) fn has_data(&self) -> bool {
        self.data
    }

    pub(crate) fn is_stand_in(&self, label: &str) -> bool {
        label == STAND_IN
    }

    pub(crate) fn is_stand_in_id(&self, id: u16) -> bool {
        let next = STAND_IN_ID.saturating_sub(self.stand_ins);
        (next..=STAND_IN_ID).contains(&id) && id != next
    }

    pub(crate) fn has_remote(&self) -> bool {
        self.current_remote.is_some() || self.offered.is_some()
    }
}

impl Connection {
    fn signaling(&self) -> SignalingState {
        *self.status.signaling.get()
    }

    fn set_signaling(&mut self, state: SignalingState) {
        if self.status.signaling.replace(state) {
            self.out.events.push(Event::SignalingState(state));
        }
    }

    pub(crate) fn want_restart(&mut self) {
        self.negotiation.restart_wanted = true;
        self.need_negotiation();
    }

    pub(crate) fn current_local(&self) -> Option<SessionDescription> {
        self.negotiation.current_local.clone()
    }

    pub(crate) fn current_remote(&self) -> Option<SessionDescription> {
        self.negotiation.current_remote.clone()
    }

    // --- our offer

    /// Makes an offer of everything wanted now.
    pub(crate) fn create_offer(&mut self, restart: bool) -> Result<SessionDescription, RtcError> {
        if self.signaling() != SignalingState::Stable {
            return Err(RtcError::invalid_state("an offer is outstanding already"));
        }
        let restart = restart || self.negotiation.restart_wanted;
        let offer = self.build_offer(restart)?;
        let text = offer.text.clone();
        self.negotiation.created = Some(offer);
        Ok(SessionDescription::from_text(text, SdpType::Offer))
    }

    fn build_offer(&mut self, restart: bool) -> Result<Offer, RtcError> {
        let needs_data = !self.negotiation.data && !self.channels.is_empty();
        let stand_in = needs_data.then(|| self.next_stand_in());
        let mut changes = self.rtc.sdp_api();
        let mut sections = Vec::new();
        for transceiver in &self.transceivers {
            let wanted = transceiver.wanted();
            match (transceiver.str0m_mid(), wanted) {
                (Some(mid), Some(direction)) => changes.set_direction(mid, direction),
                (Some(mid), None) => changes.stop_media(mid),
                (None, None) => {}
                (None, Some(direction)) => {
                    let (stream, track) = transceiver.announcement();
                    let kind = str0m_kind(transceiver.kind());
                    let mid = changes.add_media(kind, direction, stream, track, None);
                    sections.push((transceiver.clone(), mid));
                }
            }
        }
        if let Some(config) = stand_in {
            changes.add_channel_with_config(config);
        }
        // str0m searches for a path with the old candidates too: they still are our sockets.
        if restart {
            changes.ice_restart(true);
        }
        if !changes.has_changes()
            && let Some((mid, direction)) = first_media(&self.transceivers)
        {
            // There and back: an offer that changes nothing is still an offer.
            changes.set_direction(mid, other_than(direction));
            changes.set_direction(mid, direction);
        }
        match changes.apply() {
            Some((offer, change)) => {
                let text = sdp_text::without_idle_sources(&offer.to_sdp_string());
                let text = sdp_text::plain_first(&text);
                Ok(Offer {
                    change: Some(change),
                    text,
                    sections,
                })
            }
            None => self.repeat_offer(),
        }
    }

    /// Without media sections str0m has nothing to offer twice: repeat the text in force.
    fn repeat_offer(&self) -> Result<Offer, RtcError> {
        let Some(local) = &self.negotiation.current_local else {
            return Err(RtcError::invalid_state("there is nothing to offer"));
        };
        let text = sdp_text::next_version(local.text());
        Ok(Offer {
            change: None,
            text,
            sections: Vec::new(),
        })
    }

    /// str0m adds a data section together with a channel, and allocates that channel for good even
    /// if the offer is dropped. So the channel in the offer is one of our own that nobody uses,
    /// never told to the peer, and the application's channels are made when the section stands.
    fn next_stand_in(&mut self) -> ChannelConfig {
        let id = STAND_IN_ID.saturating_sub(self.negotiation.stand_ins);
        self.negotiation.stand_ins += 1;
        ChannelConfig {
            label: STAND_IN.to_owned(),
            negotiated: Some(id),
            ..ChannelConfig::default()
        }
    }

    /// Puts our offer or answer in force. Its text may have been edited.
    pub(crate) fn set_local(&mut self, desc: SessionDescription) -> Result<(), RtcError> {
        match desc.sdp_type() {
            SdpType::Offer => self.set_local_offer(desc.text().to_owned())?,
            SdpType::Answer => self.set_local_answer(desc)?,
            SdpType::Rollback => return self.roll_back(),
            SdpType::PrAnswer => {
                return Err(RtcError::invalid_state(
                    "provisional answers are not supported",
                ));
            }
        }
        self.publish_candidates();
        Ok(())
    }

    fn set_local_offer(&mut self, text: String) -> Result<(), RtcError> {
        if self.signaling() != SignalingState::Stable {
            return Err(RtcError::invalid_state("an offer is outstanding already"));
        }
        let Some(mut offer) = self.negotiation.created.take() else {
            return Err(RtcError::invalid_state(
                "no offer was created, or it is outdated",
            ));
        };
        offer.text = text;
        for (transceiver, mid) in &offer.sections {
            transceiver.set_mid(Some(*mid));
        }
        self.negotiation.pending = Some(offer);
        self.set_signaling(SignalingState::HaveLocalOffer);
        Ok(())
    }

    /// Takes our offer back: what it would have added is forgotten.
    fn roll_back(&mut self) -> Result<(), RtcError> {
        if self.signaling() != SignalingState::HaveLocalOffer {
            return Err(RtcError::invalid_state("there is no offer to take back"));
        }
        if let Some(offer) = self.negotiation.pending.take() {
            offer
                .sections
                .iter()
                .for_each(|(transceiver, _)| transceiver.set_mid(None));
        }
        self.set_signaling(SignalingState::Stable);
        Ok(())
    }

    // --- the peer's answer

    /// Puts the peer's offer or answer in force.
    pub(crate) fn set_remote(&mut self, desc: SessionDescription) -> Result<(), RtcError> {
        self.refuse_if_broken()?;
        match desc.sdp_type() {
            SdpType::Offer => self.accept_offer(desc.text()),
            SdpType::Answer => self.accept_answer(desc),
            SdpType::Rollback => self.roll_back(),
            SdpType::PrAnswer => Err(RtcError::invalid_state(
                "provisional answers are not supported",
            )),
        }
    }

    fn accept_answer(&mut self, desc: SessionDescription) -> Result<(), RtcError> {
        if self.signaling() != SignalingState::HaveLocalOffer {
            return Err(RtcError::invalid_state("an answer without an offer"));
        }
        let repeated = |current: &SessionDescription| current.text() == desc.text();
        if self
            .negotiation
            .current_remote
            .as_ref()
            .is_some_and(repeated)
        {
            return self.roll_back();
        }
        let answer = SdpAnswer::from_sdp_string(desc.text()).map_err(unreadable)?;
        if !self.same_certificate(desc.text()) {
            return Ok(());
        }
        let Some(offer) = self.negotiation.pending.take() else {
            return Err(RtcError::internal("the offer is lost"));
        };
        if let Some(change) = offer.change {
            self.rtc
                .sdp_api()
                .accept_answer(change, answer)
                .map_err(|error| {
                    RtcError::invalid_sdp(format!("the answer does not fit the offer: {error}"))
                })?;
        }
        let text = offer.text;
        self.in_force(SessionDescription::from_text(text, SdpType::Offer), desc);
        Ok(())
    }

    /// An exchange is complete.
    fn in_force(&mut self, local: SessionDescription, remote: SessionDescription) {
        let sections = sdp_text::sections(remote.text());
        let ufrag = sdp_text::ice_ufrag(remote.text()).map(str::to_owned);
        self.search_begins |= ufrag != self.negotiation.remote_ufrag;
        self.negotiation.remote_ufrag = ufrag;
        self.negotiation.data |= sections.iter().any(|section| section.kind == "application");
        self.settle_sections(&sections);
        for line in sdp_text::candidates(remote.text()) {
            // str0m reads the others by itself, and passes over what it cannot read.
            if let Ok(candidate) = Candidate::from_sdp_string(line) {
                self.fallback.offer(candidate);
            }
        }
        self.negotiation.current_local = Some(local);
        self.negotiation.current_remote = Some(remote);
        self.negotiation.restart_wanted = false;
        self.set_signaling(SignalingState::Stable);
        self.open_channels();
    }

    // --- the peer's offer

    fn accept_offer(&mut self, text: &str) -> Result<(), RtcError> {
        if self.signaling() != SignalingState::Stable {
            return Err(RtcError::invalid_state("both sides offered at once"));
        }
        let offer = SdpOffer::from_sdp_string(text).map_err(unreadable)?;
        if !self.same_certificate(text) {
            return Ok(());
        }
        // str0m forgets an offer of ours that was not sent yet.
        self.negotiation.created = None;
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(|error| {
            RtcError::invalid_sdp(format!("the offer cannot be accepted: {error}"))
        })?;
        self.negotiation.answer = Some(sdp_text::without_idle_sources(&answer.to_sdp_string()));
        self.negotiation.offered = Some(text.to_owned());
        let sections = sdp_text::sections(text);
        self.add_remote_sections(&sections);
        self.settle_sections(&sections);
        self.set_signaling(SignalingState::HaveRemoteOffer);
        Ok(())
    }

    fn add_remote_sections(&mut self, sections: &[sdp_text::Section<'_>]) {
        for section in sections {
            let kind = match section.kind {
                "audio" => MediaType::Audio,
                "video" => MediaType::Video,
                _ => continue,
            };
            let mid = Mid::from(section.mid);
            let known = self.transceivers.iter().any(|t| t.str0m_mid() == Some(mid));
            if known || self.rtc.media(mid).is_none() {
                continue;
            }
            let init = RtpTransceiverInit {
                direction: RtpTransceiverDirection::RecvOnly,
                stream_ids: Vec::new(),
                send_encodings: Vec::new(),
            };
            let transceiver = TransceiverShared::new(kind, init, self.link.clone());
            transceiver.set_mid(Some(mid));
            self.transceivers.push(transceiver);
        }
    }

    pub(crate) fn create_answer(&self) -> Result<SessionDescription, RtcError> {
        match &self.negotiation.answer {
            Some(text) => Ok(SessionDescription::from_text(text.clone(), SdpType::Answer)),
            None => Err(RtcError::invalid_state("there is no offer to answer")),
        }
    }

    fn set_local_answer(&mut self, desc: SessionDescription) -> Result<(), RtcError> {
        let offered = self.negotiation.offered.take();
        let (Some(offered), Some(_)) = (offered, self.negotiation.answer.take()) else {
            return Err(RtcError::invalid_state("there is no offer to answer"));
        };
        self.in_force(desc, SessionDescription::from_text(offered, SdpType::Offer));
        Ok(())
    }

    // --- both

    /// Directions, streams and tracks as the two descriptions settle them.
    fn settle_sections(&mut self, sections: &[sdp_text::Section<'_>]) {
        for transceiver in &self.transceivers {
            let Some(mid) = transceiver.str0m_mid() else {
                continue;
            };
            let Some(direction) = self.rtc.media(mid).map(|media| media.direction()) else {
                continue;
            };
            let section = sections
                .iter()
                .find(|section| Mid::from(section.mid) == mid);
            transceiver.settle(direction, section.is_some_and(|section| section.wants_dtx));
            // A server that prefers copies does not expect plain packets.
            let copies = section.is_some_and(|section| section.prefers_copies);
            self.rtc.direct_api().set_red_send(mid, copies);
            let receives = matches!(direction, Direction::RecvOnly | Direction::SendRecv);
            let streams = section.map_or(&[][..], |section| &section.streams);
            if transceiver.announce(if receives { streams } else { &[] }) {
                self.out.events.push(Event::Track(transceiver.clone()));
            }
        }
    }

    /// str0m keeps the first certificate for life; a peer with another one is another peer (a
    /// session that moved to another server), and only a new connection can reach it.
    fn same_certificate(&mut self, text: &str) -> bool {
        let found = sdp_text::fingerprints(text);
        let known = self
            .negotiation
            .fingerprints
            .get_or_insert_with(|| found.clone());
        if *known == found {
            return true;
        }
        self.break_off(StateReason::FingerprintChanged);
        false
    }

    pub(super) fn first_mid(&self) -> String {
        let pending = self
            .negotiation
            .pending
            .as_ref()
            .map(|offer| offer.text.as_str());
        let current = self
            .negotiation
            .current_local
            .as_ref()
            .map(SessionDescription::text);
        let text = pending.or(current).unwrap_or_default();
        sdp_text::sections(text)
            .first()
            .map(|first| first.mid.to_owned())
            .unwrap_or_default()
    }
}

fn str0m_kind(kind: MediaType) -> MediaKind {
    match kind {
        MediaType::Video => MediaKind::Video,
        _ => MediaKind::Audio,
    }
}

/// A section that is in force and not stopped, with the direction it should have.
fn first_media(transceivers: &[Arc<TransceiverShared>]) -> Option<(Mid, Direction)> {
    transceivers
        .iter()
        .find_map(|transceiver| transceiver.str0m_mid().zip(transceiver.wanted()))
}

fn other_than(direction: Direction) -> Direction {
    match direction {
        Direction::Inactive => Direction::RecvOnly,
        _ => Direction::Inactive,
    }
}

fn unreadable(error: impl std::fmt::Display) -> RtcError {
    RtcError::invalid_sdp(format!("the description cannot be read: {error}"))
}
