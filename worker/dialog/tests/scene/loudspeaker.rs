//! The outgoing queue and its playhead, as the worker's playout reports them.

use std::{collections::VecDeque, time::Duration};

use dialog::{
    input::{Heard, Playout},
    model::{ItemId, ResponseId},
    output::PlayoutOrder,
};

use super::TICK;

/// So long after its last sound a voice is known to have stopped for want of more.
const TAIL: Duration = Duration::from_millis(200);

struct Clip {
    response: ResponseId,
    item: ItemId,
    queued: Duration,
    heard: Duration,
    is_complete: bool,
    is_started: bool,
}

pub(crate) struct Loudspeaker {
    clips: VecDeque<Clip>,
    refused: Vec<ResponseId>,
    is_playing: bool,
    is_paused: bool,
    /// For how long the next sound has been missing.
    starves: Duration,
    pub(crate) reports: bool,
}

impl Default for Loudspeaker {
    fn default() -> Self {
        Self {
            clips: VecDeque::new(),
            refused: Vec::new(),
            is_playing: false,
            is_paused: false,
            starves: Duration::ZERO,
            reports: true,
        }
    }
}

impl Loudspeaker {
    pub(crate) fn push(&mut self, response: &ResponseId, item: &ItemId, duration: Duration) {
        if self.refused.contains(response) {
            return;
        }
        if let Some(clip) = self.clips.iter_mut().find(|clip| clip.item == *item) {
            clip.queued += duration;
            return;
        }
        self.clips.push_back(Clip {
            response: response.clone(),
            item: item.clone(),
            queued: duration,
            heard: Duration::ZERO,
            is_complete: false,
            is_started: false,
        });
    }

    pub(crate) fn finish(&mut self, item: &ItemId) {
        for clip in self.clips.iter_mut().filter(|clip| clip.item == *item) {
            clip.is_complete = true;
        }
    }

    pub(crate) fn finish_all(&mut self) {
        for clip in &mut self.clips {
            clip.is_complete = true;
        }
    }

    /// Carries out an order; what it reports comes a moment later.
    pub(crate) fn obey(&mut self, order: PlayoutOrder) -> Option<Playout> {
        match order {
            PlayoutOrder::Drop { response } => {
                self.clips.retain(|clip| clip.response != response);
                self.refused.push(response);
                None
            }
            PlayoutOrder::Flush { response, keep } => {
                self.refused.extend(response);
                self.is_playing = false;
                let clips = std::mem::take(&mut self.clips).into_iter();
                let is_kept = |clip: &Clip| Some(&clip.response) == keep.as_ref();
                let (kept, cut): (Vec<_>, Vec<_>) = clips.partition(is_kept);
                self.clips.extend(kept);
                let cut = cut.iter().map(Clip::report).collect();
                self.reports.then_some(Playout::Flushed { cut })
            }
            PlayoutOrder::Pause => {
                let was_playing = self.is_playing && !self.is_paused;
                self.is_paused = true;
                was_playing.then_some(Playout::Paused)
            }
            PlayoutOrder::Resume => {
                self.is_paused = false;
                None
            }
            _ => None,
        }
    }

    /// Plays one frame; reports like the real queue, ten times a second and at each end.
    pub(crate) fn tick(&mut self) -> Vec<Playout> {
        let mut facts = Vec::new();
        if self.is_paused {
            return facts;
        }
        // An item that never completed is over once another one waits behind it.
        while let (count, Some(clip)) = (self.clips.len(), self.clips.front_mut()) {
            if clip.heard < clip.queued {
                self.is_playing = true;
                self.starves = Duration::ZERO;
                clip.play(&mut facts);
                return facts;
            }
            if !clip.is_complete && count == 1 {
                self.starves += TICK;
                if self.starves == TAIL && clip.is_started {
                    facts.push(Playout::Advanced(clip.report()));
                    facts.push(Playout::Starved);
                }
                return facts;
            }
            facts.push(Playout::Advanced(clip.report()));
            self.clips.pop_front();
        }
        if std::mem::take(&mut self.is_playing) {
            facts.push(Playout::Drained);
        }
        facts
    }
}

impl Clip {
    fn play(&mut self, facts: &mut Vec<Playout>) {
        if !std::mem::replace(&mut self.is_started, true) {
            let (response, item) = (self.response.clone(), self.item.clone());
            facts.push(Playout::Started { response, item });
        }
        self.heard += TICK.min(self.queued - self.heard);
        if self.heard.as_millis().is_multiple_of(100) {
            facts.push(Playout::Advanced(self.report()));
        }
    }

    fn report(&self) -> Heard {
        Heard {
            response: self.response.clone(),
            item: self.item.clone(),
            heard: self.heard,
        }
    }
}
