//! Core: who spoke when, as the ears heard it.
//!
//! Owns the last stretches of speech of everybody. Answers whose speech a turn holds; the edges are
//! the only source of that. Does not know turns or items.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::speaker::ParticipantId;

/// Stretches that are remembered; a turn of a lively round has a dozen.
const STRETCHES: usize = 64;

/// Of the time of who spoke most; less is the end of what was said before.
const LEAST_SHARE: u32 = 5;

/// Who spoke when.
#[derive(Debug, Default)]
pub(crate) struct Voices {
    stretches: VecDeque<Stretch>,
}

#[derive(Debug)]
struct Stretch {
    who: ParticipantId,
    from: Instant,
    /// `None` = it goes on.
    to: Option<Instant>,
}

impl Stretch {
    fn within(&self, from: Instant, to: Instant) -> Duration {
        let end = self.to.map_or(to, |end| end.min(to));
        end.saturating_duration_since(self.from.max(from))
    }
}

impl Voices {
    pub(crate) fn begin(&mut self, who: ParticipantId, at: Instant) {
        self.end(&who, at);
        if self.stretches.len() == STRETCHES {
            self.stretches.pop_front();
        }
        let (from, to) = (at, None);
        self.stretches.push_back(Stretch { who, from, to });
    }

    pub(crate) fn end(&mut self, who: &ParticipantId, at: Instant) {
        let mut open = self.stretches.iter_mut().filter(|s| s.to.is_none());
        if let Some(stretch) = open.find(|stretch| stretch.who == *who) {
            stretch.to = Some(at.max(stretch.from));
        }
    }

    /// What began was no speech of theirs.
    pub(crate) fn retract(&mut self, who: &ParticipantId) {
        self.stretches.retain(|s| s.to.is_some() || s.who != *who);
    }

    /// Who is speaking.
    pub(crate) fn speaking(&self) -> impl Iterator<Item = &ParticipantId> {
        let open = self.stretches.iter().filter(|s| s.to.is_none());
        open.map(|stretch| &stretch.who)
    }

    /// Who spoke last before this moment.
    pub(crate) fn last_before(&self, moment: Instant) -> Option<&ParticipantId> {
        let before = self.stretches.iter().filter(|s| s.from <= moment);
        before
            .max_by_key(|s| s.to.unwrap_or(moment))
            .map(|s| &s.who)
    }

    /// Who spoke between these moments: who spoke most comes first, who said next to nothing in
    /// comparison does not count.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Vec<ParticipantId> {
        let mut spoke: Vec<(ParticipantId, Duration)> = Vec::new();
        for stretch in &self.stretches {
            let time = stretch.within(from, to);
            match spoke.iter_mut().find(|(who, _)| *who == stretch.who) {
                Some((_, total)) => *total += time,
                None => spoke.push((stretch.who.clone(), time)),
            }
        }
        let most = spoke
            .iter()
            .map(|(_, time)| *time)
            .max()
            .unwrap_or_default();
        spoke.retain(|(_, time)| !time.is_zero() && *time * LEAST_SHARE >= most);
        spoke.sort_by_key(|(_, time)| std::cmp::Reverse(*time));
        spoke.into_iter().map(|(who, _)| who).collect()
    }
}
