//! Negotiation in any order: two ends offer, answer, roll back, add, remove, stop, restart and close as chance has
//! it. What must hold after each step is checked; at the end both find back to a stable state.

use std::{sync::Arc, time::Duration};

use bolero::TypeGenerator;

use super::super::{
    channels::ChannelShared,
    pair::{End, Pair, negotiated},
};
use crate::{
    data_channel::DataChannelInit,
    ice_candidate::IceCandidate,
    peer_connection::{PeerConnectionState, SignalingState},
    rtp_transceiver::RtpTransceiverDirection,
    session_description::{SdpType, SessionDescription},
};

/// One thing somebody does. Small numbers choose among what there is.
#[derive(Clone, Debug, TypeGenerator)]
enum Operation {
    AddAudio {
        end: Side,
        direction: u8,
        sends: bool,
    },
    AddChannel {
        end: Side,
        id: u8,
        in_band: bool,
    },
    Answer {
        end: Side,
    },
    Candidate {
        end: Side,
        port: u16,
    },
    CloseChannel {
        end: Side,
        which: u8,
    },
    /// Ends the connection, so it is rare.
    Close {
        end: Side,
        chance: u8,
    },
    /// A description once made goes to the other end, in its turn or not.
    Deliver {
        to: Side,
        back: u8,
    },
    /// An exchange as it should be, as far as the states allow.
    Exchange {
        by: Side,
        restart: bool,
    },
    Offer {
        end: Side,
        restart: bool,
    },
    /// The answer in force once more: taken as a rollback.
    Repeat {
        end: Side,
    },
    RollBack {
        end: Side,
    },
    SetLocal {
        end: Side,
        back: u8,
    },
    Stop {
        end: Side,
        which: u8,
    },
    TakeTrack {
        end: Side,
        which: u8,
    },
    Wait {
        millis: u8,
    },
    Want {
        end: Side,
    },
    Write {
        end: Side,
        which: u8,
        length: u8,
    },
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Side {
    Caller,
    Callee,
}

const DIRECTIONS: [RtpTransceiverDirection; 4] = [
    RtpTransceiverDirection::SendRecv,
    RtpTransceiverDirection::SendOnly,
    RtpTransceiverDirection::RecvOnly,
    RtpTransceiverDirection::Inactive,
];

struct World {
    pair: Pair,
    /// Descriptions made so far, newest last.
    made: Vec<SessionDescription>,
    channels: [Vec<Arc<ChannelShared>>; 2],
    closed: [bool; 2],
    /// Sections and channels that were asked for.
    asked: usize,
}

#[test]
fn negotiation_in_any_order_is_carried_out_or_refused() {
    let operations = bolero::produce::<Vec<Operation>>().with().len(0_usize..64);
    bolero::check!()
        .with_generator(operations)
        .cloned()
        .for_each(|operations: Vec<Operation>| {
            let mut world = World {
                pair: Pair::new(),
                made: Vec::new(),
                channels: [Vec::new(), Vec::new()],
                closed: [false; 2],
                asked: 0,
            };
            for operation in operations {
                world.apply(operation);
                world.check();
            }
            world.finish();
        });
}

impl World {
    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Caller => &mut self.pair.caller,
            Side::Callee => &mut self.pair.callee,
        }
    }

    fn made(&self, back: u8) -> Option<SessionDescription> {
        let at = self.made.len().checked_sub(1 + usize::from(back) % 8)?;
        Some(self.made[at].clone())
    }

    fn apply(&mut self, operation: Operation) {
        let now = self.pair.now;
        match operation {
            Operation::AddAudio {
                end,
                direction,
                sends,
            } => {
                let direction = DIRECTIONS[usize::from(direction) % 4];
                self.asked += 1;
                self.end(end).add_audio(sends.then_some("TR_x"), direction);
            }
            Operation::AddChannel { end, id, in_band } => self.add_channel(end, id, in_band),
            Operation::Answer { end } => {
                let answer = self.end(end).connection.create_answer();
                self.made.extend(answer);
            }
            Operation::Candidate { end, port } => {
                let line = format!("candidate:1 1 udp 7 10.0.0.9 {port} typ host");
                let candidate = IceCandidate::parse("0", 0, &line).unwrap();
                // Before any description it is refused.
                let _ = self.end(end).connection.add_remote_candidate(&candidate);
            }
            Operation::CloseChannel { end, which } => {
                let channels = &self.channels[end as usize];
                if let Some(channel) = channels.get(usize::from(which)).cloned() {
                    self.end(end).connection.close_channel(&channel);
                }
            }
            Operation::Close { end, chance } => self.close(end, chance),
            Operation::Deliver { to, back } => {
                if let Some(description) = self.made(back) {
                    // Refused in most states.
                    let _ = self.end(to).connection.set_remote(description);
                }
            }
            Operation::Exchange { by, restart } => drop(self.exchange(by, restart)),
            Operation::Offer { end, restart } => {
                let offer = self.end(end).connection.create_offer(restart);
                self.made.extend(offer);
            }
            Operation::Repeat { end } => {
                let connection = &mut self.end(end).connection;
                if let Some(current) = connection.current_remote() {
                    let _ = connection.set_remote(current);
                }
            }
            Operation::RollBack { end } => {
                let back = SessionDescription::parse("", SdpType::Rollback).unwrap();
                let _ = self.end(end).connection.set_local(back);
            }
            Operation::SetLocal { end, back } => {
                if let Some(description) = self.made(back) {
                    let _ = self.end(end).connection.set_local(description);
                }
            }
            Operation::Stop { end, which } => {
                let sections = self.end(end).connection.all_transceivers();
                if let Some(section) = sections.get(usize::from(which)) {
                    section.stop();
                }
            }
            Operation::TakeTrack { end, which } => {
                let sections = self.end(end).connection.all_transceivers();
                if let Some(section) = sections.get(usize::from(which)) {
                    section.remove_track().unwrap();
                }
            }
            Operation::Wait { millis } => self.pair.run(Duration::from_millis(u64::from(millis))),
            Operation::Want { end } => self.end(end).connection.want_restart(),
            Operation::Write { end, which, length } => {
                let channels = &self.channels[end as usize];
                if let Some(channel) = channels.get(usize::from(which)).cloned() {
                    let message = vec![length; usize::from(length) * 16];
                    self.end(end)
                        .connection
                        .send_message(&channel, &message, true);
                }
            }
        }
        self.pair.caller.flush(now);
        self.pair.callee.flush(now);
    }

    fn add_channel(&mut self, side: Side, id: u8, in_band: bool) {
        let init = match in_band {
            true => DataChannelInit::default(),
            false => negotiated(i32::from(id % 8)),
        };
        let channel = ChannelShared::new("c".into(), init, std::sync::Weak::new());
        // A negotiated id in use is refused.
        if self
            .end(side)
            .connection
            .add_channel(channel.clone())
            .is_ok()
        {
            self.asked += 1;
            self.channels[side as usize].push(channel);
        }
    }

    /// Nothing is asked of a closed connection: the link sees to that.
    fn close(&mut self, side: Side, chance: u8) {
        if chance < 250 {
            return;
        }
        let now = self.pair.now;
        self.end(side).connection.close(now);
        self.closed[side as usize] = true;
    }

    fn exchange(&mut self, by: Side, restart: bool) -> Option<()> {
        let Pair {
            caller,
            callee,
            now,
            ..
        } = &mut self.pair;
        let (offerer, answerer) = match by {
            Side::Caller => (caller, callee),
            Side::Callee => (callee, caller),
        };
        let offer = offerer.connection.create_offer(restart).ok()?;
        offerer.connection.set_local(offer.clone()).ok()?;
        answerer.connection.set_remote(offer).ok()?;
        let answer = answerer.connection.create_answer().ok()?;
        answerer.connection.set_local(answer.clone()).ok()?;
        offerer.connection.set_remote(answer).ok()?;
        offerer.flush(*now);
        answerer.flush(*now);
        Some(())
    }

    fn check(&self) {
        for end in [&self.pair.caller, &self.pair.callee] {
            assert!(end.connection.out.transmits.is_empty());
            assert!(end.connection.out.events.is_empty());
            let sections = end.connection.all_transceivers().len();
            assert!(sections <= 2 * self.asked, "{sections} of {}", self.asked);
            assert!(end.channels.len() <= self.asked);
        }
    }

    /// Whoever is left in the middle of an exchange gets out of it.
    fn finish(&mut self) {
        if self.closed != [false; 2] || self.is_over() {
            return;
        }
        for side in [Side::Caller, Side::Callee] {
            let connection = &mut self.end(side).connection;
            if let Ok(answer) = connection.create_answer() {
                connection.set_local(answer).unwrap();
            }
            let back = SessionDescription::parse("", SdpType::Rollback).unwrap();
            let _ = connection.set_local(back);
            assert_eq!(
                *self.end(side).status.signaling.get(),
                SignalingState::Stable
            );
        }
    }

    fn is_over(&self) -> bool {
        let ends = [self.pair.caller.state(), self.pair.callee.state()];
        ends.contains(&PeerConnectionState::Failed)
    }
}
