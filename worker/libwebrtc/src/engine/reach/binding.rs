//! Adapter: asking a STUN server which address others see us at (RFC 8489, the Binding method). No
//! socket and no clock: requests come out, answers go in.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use turn_client_proto::stun::types::{
    attribute::XorMappedAddress,
    message::{BINDING, Message, MessageWriteVec},
    prelude::MessageWrite,
};

/// First pause before a request is repeated; it doubles each time (RFC 8489 section 6.2.1).
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is sent. Nobody's call depends on the answer.
const ATTEMPTS: u32 = 4;

/// One question to one server from one of our sockets.
pub(super) struct Binding {
    /// The socket's address.
    pub(super) base: SocketAddr,
    pub(super) server: SocketAddr,
    request: Vec<u8>,
    sent: u32,
    next: Instant,
}

impl Binding {
    /// A question to be asked now.
    pub(super) fn new(now: Instant, base: SocketAddr, server: SocketAddr) -> Self {
        Self {
            base,
            server,
            request: Message::builder_request(BINDING, MessageWriteVec::new()).finish(),
            sent: 0,
            next: now,
        }
    }

    /// When there is something to do.
    pub(super) fn deadline(&self) -> Instant {
        self.next
    }

    /// Nobody answered, and nobody will.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.sent == ATTEMPTS && self.next <= now
    }

    /// What is to be sent now.
    pub(super) fn poll(&mut self, now: Instant) -> Option<&[u8]> {
        if self.next > now || self.sent == ATTEMPTS {
            return None;
        }
        self.next = now + PAUSE * 2_u32.pow(self.sent);
        self.sent += 1;
        Some(&self.request)
    }

    /// Our address as the server sees it, when this datagram of its is the answer.
    pub(super) fn answer(&self, datagram: &[u8]) -> Option<SocketAddr> {
        let asked = Message::from_bytes(&self.request).ok()?.transaction_id();
        let answer = Message::from_bytes(datagram).ok()?;
        if !answer.is_response() || answer.transaction_id() != asked {
            return None;
        }
        let seen = answer.attribute::<XorMappedAddress>().ok()?.addr(asked);
        let is_usable = !seen.ip().is_unspecified() && seen.port() != 0;
        (is_usable && seen.is_ipv4() == self.base.is_ipv4()).then_some(seen)
    }
}

/// What a server that sees the asker there would answer.
#[cfg(test)]
pub(in crate::engine) fn answer(request: &[u8], seen: SocketAddr) -> Vec<u8> {
    use turn_client_proto::stun::types::prelude::MessageWriteExt;

    let request = Message::from_bytes(request).unwrap();
    let mut answer = Message::builder_success(&request, MessageWriteVec::new());
    let address = XorMappedAddress::new(seen, request.transaction_id());
    answer.add_attribute(&address).unwrap();
    answer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(now: Instant) -> Binding {
        let base = SocketAddr::from(([10, 0, 0, 7], 5_000));
        Binding::new(now, base, SocketAddr::from(([192, 0, 2, 1], 3_478)))
    }

    #[test]
    fn a_question_is_repeated_with_growing_pauses_and_given_up() {
        let start = Instant::now();
        let mut binding = binding(start);
        let mut asked = Vec::new();
        let mut now = start;
        while !binding.is_over(now) {
            now = binding.deadline();
            if binding.poll(now).is_some() {
                asked.push((now - start).as_millis());
            }
        }
        assert_eq!(asked, [0, 500, 1_500, 3_500]);
    }

    #[test]
    fn only_the_answer_to_this_question_counts() {
        let now = Instant::now();
        let mut mine = binding(now);
        let other = binding(now);
        let seen = SocketAddr::from(([203, 0, 113, 9], 40_000));
        let request = mine.poll(now).unwrap().to_vec();
        assert_eq!(mine.answer(&answer(&request, seen)), Some(seen));
        assert_eq!(other.answer(&answer(&request, seen)), None);
        assert_eq!(mine.answer(&request), None, "a request is no answer");
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        assert_eq!(mine.answer(&answer(&request, nowhere)), None);
    }

    #[test]
    fn hostile_answers_are_read_or_refused() {
        bolero::check!().for_each(|input: &[u8]| {
            let now = Instant::now();
            let mut binding = binding(now);
            let request = binding.poll(now).unwrap().to_vec();
            let seen = SocketAddr::from(([203, 0, 113, 9], 40_000));
            let mut honest = answer(&request, seen);
            // Pairs of place and value, over an honest answer.
            for pair in input.chunks_exact(2) {
                let place = usize::from(pair[0]) % honest.len();
                honest[place] = pair[1];
            }
            for datagram in [input, &honest] {
                if let Some(seen) = binding.answer(datagram) {
                    assert!(seen.is_ipv4() && seen.port() != 0);
                }
            }
        });
    }
}
