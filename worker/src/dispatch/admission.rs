//! Core: may this job have a slot?
//!
//! Owns the slots of the worker: reserved at the moment of an offer, so that two offers in one
//! instant cannot share one, and freed when the session ends or no assignment follows. It answers
//! from memory only: an answer that is late loses the job for everybody.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::telemetry::{Pii, event::Answer};

/// Servers send the assignment within moments; after this long they have given it to nobody.
pub const ASSIGNMENT_DEADLINE: Duration = Duration::from_millis(7500);

/// The share of all slots that the wire calls full: servers stop offering at their `target_load`,
/// 0.7 by default, although slots would be free.
const WIRE_FULL: f32 = 0.69;

/// A job on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Id of the job.
    pub job: String,
    /// The room's name.
    pub room: Pii<String>,
    /// The agent name it is meant for.
    pub agent_name: String,
}

/// What the server is told about this worker.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// Sessions that run.
    pub active: usize,
    /// Sessions and reservations.
    pub used: usize,
    /// All slots.
    pub slots: usize,
    /// No further job is taken now.
    pub is_full: bool,
}

impl Load {
    /// The figure on the wire, 0 to 1.
    pub fn on_wire(&self) -> f32 {
        if self.is_full {
            return 1.0;
        }
        WIRE_FULL * self.used as f32 / self.slots.max(1) as f32
    }
}

/// The slots, and the reasons to take nothing.
#[derive(Debug)]
pub struct Admission {
    slots: usize,
    /// Never more entries than slots.
    held: HashMap<String, Held>,
    is_draining: bool,
    is_model_refused: bool,
}

#[derive(Debug)]
struct Held {
    room: Pii<String>,
    agent_name: String,
    /// `None` = the session runs.
    reserved_until: Option<Instant>,
    /// The server ended it, or knows its end: it holds its slot and no room.
    is_leaving: bool,
}

impl Admission {
    /// All slots free.
    pub fn new(slots: usize) -> Self {
        Self {
            slots,
            held: HashMap::new(),
            is_draining: false,
            is_model_refused: false,
        }
    }

    /// Answers an offer; `Accepted` holds a slot until [`ASSIGNMENT_DEADLINE`].
    pub fn offer(&mut self, now: Instant, offer: &Offer) -> Answer {
        if offer.job.is_empty() || offer.room.expose().is_empty() {
            return Answer::Unusable;
        }
        if let Some(held) = self.held.get(&offer.job) {
            // The same offer again: the slot is held already. A running job is nobody's to take.
            let answer = if held.reserved_until.is_some() {
                Answer::Accepted
            } else {
                Answer::Duplicate
            };
            return answer;
        }
        if self.is_here(offer) {
            return Answer::Duplicate;
        }
        if let Some(reason) = self.refusal() {
            return reason;
        }
        let held = Held {
            room: offer.room.clone(),
            agent_name: offer.agent_name.clone(),
            reserved_until: Some(now + ASSIGNMENT_DEADLINE),
            is_leaving: false,
        };
        self.held.insert(offer.job.clone(), held);
        Answer::Accepted
    }

    /// The job was assigned. False = we hold no slot for it and none can be found: refuse it.
    pub fn assigned(&mut self, offer: &Offer) -> bool {
        if let Some(held) = self.held.get_mut(&offer.job) {
            return held.reserved_until.take().is_some();
        }
        // Late, or never offered: welcome while there is room for it.
        if self.refusal().is_some() || self.is_here(offer) || offer.room.expose().is_empty() {
            return false;
        }
        let held = Held {
            room: offer.room.clone(),
            agent_name: offer.agent_name.clone(),
            reserved_until: None,
            is_leaving: false,
        };
        self.held.insert(offer.job.clone(), held);
        true
    }

    /// The session comes to its end: another agent of its name may come to its room. What it still has to
    /// do there takes moments.
    pub fn leaves(&mut self, job: &str) {
        if let Some(held) = self.held.get_mut(job) {
            held.is_leaving = true;
        }
    }

    /// The session is over. False = there was none.
    pub fn ended(&mut self, job: &str) -> bool {
        self.held.remove(job).is_some()
    }

    /// Frees the slots whose assignment never came, and names the jobs.
    pub fn expire(&mut self, now: Instant) -> Vec<String> {
        let is_over = |held: &Held| held.reserved_until.is_some_and(|until| until <= now);
        let expired: Vec<String> = self
            .held
            .iter()
            .filter(|(_, held)| is_over(held))
            .map(|(job, _)| job.clone())
            .collect();
        for job in &expired {
            self.held.remove(job);
        }
        expired
    }

    /// When [`Self::expire`] has something to do next.
    pub fn next_expiry(&self) -> Option<Instant> {
        self.held
            .values()
            .filter_map(|held| held.reserved_until)
            .min()
    }

    /// From now on no job is taken.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// The model refused our key, or accepts it again.
    pub fn set_model_refused(&mut self, refused: bool) {
        self.is_model_refused = refused;
    }

    /// The worker is draining.
    pub fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// What the server is told.
    pub fn load(&self) -> Load {
        let active = self
            .held
            .values()
            .filter(|held| held.reserved_until.is_none())
            .count();
        Load {
            active,
            used: self.held.len(),
            slots: self.slots,
            is_full: self.refusal().is_some(),
        }
    }

    fn is_here(&self, offer: &Offer) -> bool {
        self.held
            .values()
            .filter(|held| !held.is_leaving)
            .any(|held| held.room == offer.room && held.agent_name == offer.agent_name)
    }

    fn refusal(&self) -> Option<Answer> {
        if self.is_draining {
            return Some(Answer::Draining);
        }
        if self.is_model_refused {
            return Some(Answer::ModelRefused);
        }
        (self.held.len() >= self.slots).then_some(Answer::Full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(job: &str, room: &str) -> Offer {
        Offer {
            job: job.to_owned(),
            room: room.to_owned().into(),
            agent_name: "desk".to_owned(),
        }
    }

    #[test]
    fn two_offers_in_one_instant_cannot_share_the_last_slot() {
        let now = Instant::now();
        let mut admission = Admission::new(1);
        assert_eq!(admission.offer(now, &offer("1", "a")), Answer::Accepted);
        assert_eq!(admission.offer(now, &offer("2", "b")), Answer::Full);
        assert!(admission.load().is_full);
        assert_eq!(admission.load().on_wire(), 1.0);
    }

    #[test]
    fn a_slot_without_an_assignment_is_free_again() {
        let now = Instant::now();
        let mut admission = Admission::new(1);
        admission.offer(now, &offer("1", "a"));
        let due = admission.next_expiry().unwrap();
        assert_eq!(due, now + ASSIGNMENT_DEADLINE);
        assert!(admission.expire(due - Duration::from_millis(1)).is_empty());
        assert_eq!(admission.expire(due), ["1"]);
        assert_eq!(admission.offer(due, &offer("2", "b")), Answer::Accepted);
    }

    #[test]
    fn an_assigned_job_keeps_its_slot_until_the_session_ends() {
        let now = Instant::now();
        let mut admission = Admission::new(1);
        let job = offer("1", "a");
        admission.offer(now, &job);
        assert!(admission.assigned(&job));
        assert!(
            !admission.assigned(&job),
            "the same assignment twice is one session"
        );
        assert_eq!(admission.next_expiry(), None);
        assert!(admission.expire(now + Duration::from_secs(3600)).is_empty());
        assert_eq!(admission.load().active, 1);
        assert!(admission.ended("1"));
        assert_eq!(
            admission.load(),
            Load {
                active: 0,
                used: 0,
                slots: 1,
                is_full: false
            }
        );
    }

    #[test]
    fn one_agent_of_one_name_per_room() {
        let now = Instant::now();
        let mut admission = Admission::new(9);
        assert_eq!(admission.offer(now, &offer("1", "a")), Answer::Accepted);
        assert_eq!(admission.offer(now, &offer("2", "a")), Answer::Duplicate);
        assert_eq!(
            admission.offer(now, &offer("1", "a")),
            Answer::Accepted,
            "repeated offer"
        );
        assert_eq!(admission.load().used, 1);
        let other = Offer {
            agent_name: "other".to_owned(),
            ..offer("3", "a")
        };
        assert_eq!(admission.offer(now, &other), Answer::Accepted);
        admission.assigned(&offer("1", "a"));
        assert_eq!(admission.offer(now, &offer("1", "a")), Answer::Duplicate);
    }

    #[test]
    fn who_leaves_makes_room_for_the_next_and_keeps_its_slot() {
        let now = Instant::now();
        let mut admission = Admission::new(2);
        for (job, next) in [("1", "2"), ("2", "3")] {
            assert_eq!(admission.offer(now, &offer(job, "a")), Answer::Accepted);
            assert!(admission.assigned(&offer(job, "a")));
            assert_eq!(admission.offer(now, &offer(next, "a")), Answer::Duplicate);
            admission.leaves(job);
            assert_eq!(
                admission.offer(now, &offer(job, "a")),
                Answer::Duplicate,
                "the job itself is not run again"
            );
        }
        assert_eq!(admission.offer(now, &offer("3", "a")), Answer::Full);
        admission.ended("1");
        assert_eq!(admission.offer(now, &offer("3", "a")), Answer::Accepted);
    }

    #[test]
    fn nothing_is_taken_while_draining_or_while_the_model_refuses_us() {
        let now = Instant::now();
        let mut admission = Admission::new(9);
        admission.set_model_refused(true);
        assert_eq!(admission.offer(now, &offer("1", "a")), Answer::ModelRefused);
        assert!(!admission.assigned(&offer("1", "a")));
        admission.set_model_refused(false);
        assert_eq!(admission.offer(now, &offer("1", "a")), Answer::Accepted);
        admission.drain();
        assert_eq!(admission.offer(now, &offer("2", "b")), Answer::Draining);
        assert!(admission.load().is_full && admission.is_draining());
        assert!(admission.assigned(&offer("1", "a")), "a promise is kept");
    }

    #[test]
    fn an_offer_without_a_room_is_unusable() {
        let mut admission = Admission::new(9);
        assert_eq!(
            admission.offer(Instant::now(), &offer("1", "")),
            Answer::Unusable
        );
        assert_eq!(
            admission.offer(Instant::now(), &offer("", "a")),
            Answer::Unusable
        );
    }

    #[test]
    fn the_wire_stays_below_the_servers_target_until_the_last_slot_is_taken() {
        let now = Instant::now();
        let mut admission = Admission::new(100);
        for job in 0..99 {
            admission.offer(now, &offer(&job.to_string(), &job.to_string()));
            assert!(admission.load().on_wire() < 0.7);
        }
        admission.offer(now, &offer("last", "last"));
        assert_eq!(admission.load().on_wire(), 1.0);
    }
}
