//! Core: who speaks next, and who asks for it: the model by itself, or we.
//!
//! Owns the responses we still want. Does not know whether one may be asked for now (a response is
//! active, the user speaks, the link is down): the dialog knows that and takes them one by one.

use std::collections::VecDeque;

/// How many requests may wait. When full, the oldest wish of somebody outside is dropped.
const WAITING: usize = 8;

/// One response we want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) purpose: Purpose,
    /// What to say, for this response only; `None` = carry on with the conversation.
    pub(crate) instructions: Option<String>,
    /// The answer to this user turn, or a later one, makes a reply superfluous.
    pub(crate) turn: u64,
    /// How often it failed already.
    pub(crate) failures: u8,
}

/// What a response is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The sentence that the law wants said first.
    Disclosure,
    /// The last words.
    Goodbye,
    /// The first words.
    Greeting,
    /// The question whether a silent caller is still there.
    Prompt,
    /// An answer: to a turn, a typed line, tool outputs.
    Reply,
    /// Something the world outside wants said.
    Say,
    /// A word while a tool runs.
    Working,
}

impl Request {
    pub(crate) fn reply(turn: u64) -> Self {
        Self {
            purpose: Purpose::Reply,
            instructions: None,
            turn,
            failures: 0,
        }
    }

    pub(crate) fn saying(purpose: Purpose, instructions: &str) -> Self {
        Self {
            purpose,
            instructions: Some(instructions.to_owned()),
            turn: 0,
            failures: 0,
        }
    }
}

/// The responses we want, in order.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    wanted: VecDeque<Request>,
}

impl Floor {
    /// Wants one more response; one reply serves all that is unanswered.
    pub(crate) fn want(&mut self, request: Request) {
        if request.purpose == Purpose::Reply
            && let Some(reply) = self.wanted.iter_mut().find(|r| r.purpose == Purpose::Reply)
        {
            reply.turn = reply.turn.max(request.turn);
            return;
        }
        if self.wanted.len() == WAITING {
            self.wanted.pop_front();
        }
        self.wanted.push_back(request);
    }

    /// Wants a response again that did not come, before all others. A reply answers then also what one
    /// that waits was to answer.
    pub(crate) fn want_again(&mut self, mut request: Request) {
        if request.purpose == Purpose::Reply {
            let replies = self.wanted.iter().filter(|w| w.purpose == Purpose::Reply);
            let last = replies.map(|reply| reply.turn).max().unwrap_or_default();
            request.turn = request.turn.max(last);
            self.wanted
                .retain(|waiting| waiting.purpose != Purpose::Reply);
        }
        self.wanted.push_front(request);
        self.wanted.truncate(WAITING);
    }

    /// The model answers this turn by itself: replies it covers are no longer wanted.
    pub(crate) fn served_by(&mut self, turn: u64) {
        self.wanted
            .retain(|wanted| wanted.purpose != Purpose::Reply || wanted.turn > turn);
    }

    pub(crate) fn next(&mut self) -> Option<Request> {
        self.wanted.pop_front()
    }

    /// What was wanted for this purpose is not wanted any more.
    pub(crate) fn withdraw(&mut self, purpose: Purpose) {
        self.wanted.retain(|wanted| wanted.purpose != purpose);
    }

    /// Wants only what an agent says that was told to be silent. Returns whether that leaves a reply
    /// out.
    pub(crate) fn hush(&mut self) -> bool {
        let has_reply = self.wants(Purpose::Reply);
        let breaks_silence = |r: &Request| matches!(r.purpose, Purpose::Goodbye | Purpose::Say);
        self.wanted.retain(breaks_silence);
        has_reply
    }

    pub(crate) fn clear(&mut self) {
        self.wanted.clear();
    }

    /// Something is wanted for this purpose.
    pub(crate) fn wants(&self, purpose: Purpose) -> bool {
        self.wanted.iter().any(|wanted| wanted.purpose == purpose)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_that_is_wanted_again_keeps_the_later_turn_that_waits() {
        let mut floor = Floor::default();
        floor.want(Request::reply(2));
        floor.want_again(Request::reply(1));
        floor.served_by(1);
        assert_eq!(floor.next(), Some(Request::reply(2)));
        assert!(floor.is_empty());
    }
}
