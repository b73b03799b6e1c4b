//! Core: audio frames in order, bounded by duration, oldest dropped first.
//!
//! It knows neither tasks nor time; the bound follows the state of the link. Audio kept during an
//! outage is not cut when the link comes back: the tight bound returns once it has been taken. What a
//! connection was told of a turn that it never made an item of is told to the next one again; what it
//! made an item of is kept until the words are known, and told again on demand.

use std::{collections::VecDeque, time::Duration};

use dialog::model::ItemId;

use crate::media::{Pcm, duration, samples};

/// While the link is up. 1 s: older audio would only make the model answer late.
const UP_LIMIT: Duration = Duration::from_secs(1);

/// While the link is down. 10 s: a question asked during a reconnect is not lost.
const DOWN_LIMIT: Duration = Duration::from_secs(10);

/// Told to this connection and kept while nobody is known to speak. 700 ms: until the model notices
/// speech, and what it takes from before.
const LEAD: Duration = Duration::from_millis(700);

/// Items without words that are kept, however short they are: a model may make items of nothing.
const MOST_ITEMS: usize = 16;

/// What comes all at once is cut into pieces, so that the bound takes no more than it must.
const PIECE: Duration = Duration::from_millis(100);

/// Pieces whose memory waits to be used again. Two are on their way at a time, more when the socket is behind.
const SPARES: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Up, with kept audio still to be taken.
    CatchingUp,
    Closed,
    Down,
    Up,
}

#[derive(Debug)]
pub(super) struct Ring {
    frames: VecDeque<Pcm>,
    /// Sum of their durations.
    held: Duration,
    /// Told to this connection, of a turn that is no item yet.
    told: Told,
    /// Samples that this connection was told.
    written: usize,
    /// Items of this connection whose words nobody knows yet; at most [`MOST_ITEMS`] and together
    /// [`DOWN_LIMIT`], the oldest goes first.
    items: VecDeque<(ItemId, Told)>,
    state: State,
    /// Pieces that were told, for their memory; at most [`SPARES`], none longer than [`PIECE`].
    spare: Vec<Pcm>,
    /// What was taken last came faster than it was said.
    is_burst: bool,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Told {
    /// A copy, so that the memory of a piece is free for the next one at once.
    sound: VecDeque<i16>,
    /// The model hears somebody speak.
    is_turn: bool,
    /// Told faster than it was said, not so long ago that the model must have noticed what is in it.
    burst: Duration,
    /// Where it ends, in samples that this connection was told; `None` = it is no item, or one of a
    /// connection before.
    end: Option<usize>,
}

impl Told {
    fn push(&mut self, piece: &[i16]) {
        if self.sound.capacity() == 0 {
            // As long as nobody speaks, it needs no more.
            self.sound.reserve_exact(samples(LEAD + PIECE));
        }
        self.sound.extend(piece);
        let limit = if self.is_turn {
            DOWN_LIMIT
        } else {
            DOWN_LIMIT.min(LEAD + self.burst)
        };
        let excess = self.sound.len().saturating_sub(samples(limit));
        self.sound.drain(..excess);
    }

    fn held(&self) -> Duration {
        duration(self.sound.len())
    }
}

impl Ring {
    pub(super) fn new() -> Self {
        Self {
            frames: VecDeque::new(),
            held: Duration::ZERO,
            told: Told::default(),
            written: 0,
            items: VecDeque::new(),
            state: State::Down,
            spare: Vec::new(),
            is_burst: false,
            dropped: 0,
        }
    }

    /// Adds a frame and tells how many had to go for it.
    pub(super) fn push(&mut self, frame: Pcm) -> u64 {
        if self.state == State::Closed {
            self.dropped += 1;
            return 1;
        }
        if frame.duration().is_zero() {
            return 0;
        }
        // More than real time brings was kept somewhere else, and is wanted whole.
        if frame.duration() > UP_LIMIT {
            if self.state == State::Up {
                self.state = State::CatchingUp;
            }
            let pieces = frame.as_slice().chunks(samples(PIECE));
            return pieces
                .map(|piece| self.push(Pcm::from(piece.to_vec())))
                .sum();
        }
        self.held += frame.duration();
        self.frames.push_back(frame);
        let mut dropped = 0;
        while self.held > self.limit() && self.frames.len() > 1 {
            self.pop();
            dropped += 1;
        }
        self.dropped += dropped;
        dropped
    }

    pub(super) fn take(&mut self, at_most: Duration, into: &mut Vec<Pcm>) {
        self.is_burst = self.state == State::CatchingUp;
        let mut taken = Duration::ZERO;
        while let Some(next) = self.frames.front() {
            taken += next.duration();
            if taken > at_most && !into.is_empty() {
                break;
            }
            into.extend(self.pop());
        }
        if self.state == State::CatchingUp && self.held <= UP_LIMIT {
            self.state = State::Up;
        }
    }

    /// What was taken has been written.
    pub(super) fn told(&mut self, frames: impl Iterator<Item = Pcm>) {
        if self.state == State::Closed {
            return;
        }
        for frame in frames {
            let burst = &mut self.told.burst;
            *burst = if self.is_burst {
                *burst + frame.duration()
            } else {
                burst.saturating_sub(frame.duration())
            };
            self.written += frame.as_slice().len();
            self.told.push(frame.as_slice());
            if self.spare.len() < SPARES && frame.duration() <= PIECE {
                self.spare.push(frame);
            }
        }
    }

    /// A piece that is not needed any more, for its memory.
    pub(super) fn spare(&mut self) -> Option<Pcm> {
        self.spare.pop()
    }

    /// The model hears somebody, since this moment of what it was told: it may not live to make an item of
    /// that.
    pub(super) fn turn_begins(&mut self, at: Option<Duration>) {
        self.told.is_turn = true;
        if let Some(at) = at {
            // A moment that is yet to come is none.
            self.take_back(samples(at.min(duration(self.written))));
        }
    }

    /// What is told in a burst is told before the model says where turns end in it: what was taken for the
    /// end of the last item may be the beginning of the next one.
    fn take_back(&mut self, start: usize) {
        let told_since = self.written - self.told.sound.len();
        let Some((_, before)) = self.items.back_mut() else {
            return;
        };
        let began = told_since.saturating_sub(before.sound.len());
        // Nothing between them was let go, and the item began before.
        if before.end != Some(told_since) || start <= began || start >= told_since {
            return;
        }
        let mut sound = before.sound.split_off(start - began);
        sound.append(&mut self.told.sound);
        self.told.sound = sound;
        before.end = Some(start);
    }

    /// What was told was forgotten, or is nobody's concern any more.
    pub(super) fn turn_is_over(&mut self) {
        self.told = Told::default();
    }

    /// What was told is this item now.
    pub(super) fn turn_is_item(&mut self, item: ItemId) {
        let mut told = std::mem::take(&mut self.told);
        told.sound.shrink_to_fit();
        told.end = Some(self.written);
        self.items.push_back((item, told));
        let held = |items: &VecDeque<(ItemId, Told)>| -> Duration {
            items.iter().map(|(_, told)| told.held()).sum()
        };
        while self.items.len() > MOST_ITEMS
            || (self.items.len() > 1 && held(&self.items) > DOWN_LIMIT)
        {
            self.items.pop_front();
        }
    }

    /// The words of this item are known.
    pub(super) fn item_is_known(&mut self, item: &ItemId) {
        self.items.retain(|(known, _)| known != item);
    }

    /// What was told as these items waits again, before everything else; the other items are over.
    pub(super) fn hear_again(&mut self, wanted: &[ItemId]) {
        let mut items = std::mem::take(&mut self.items);
        items.retain(|(item, _)| wanted.contains(item));
        for (_, told) in items.into_iter().rev() {
            self.wait_again(told);
        }
    }

    pub(super) fn set_up(&mut self) {
        self.begin_anew();
        if self.state != State::Closed {
            self.state = if self.held.is_zero() {
                State::Up
            } else {
                State::CatchingUp
            };
        }
    }

    /// Another connection serves, and nothing is owed to it.
    pub(super) fn set_moved(&mut self) {
        self.turn_is_over();
        self.begin_anew();
    }

    /// A connection counts what it is told from its own beginning.
    fn begin_anew(&mut self) {
        self.written = 0;
        for (_, told) in &mut self.items {
            told.end = None;
        }
    }

    pub(super) fn set_down(&mut self) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Down;
        let told = std::mem::take(&mut self.told);
        self.wait_again(told);
        while self.held > self.limit() && self.frames.len() > 1 {
            // It was heard once; it does not count as lost.
            self.pop();
        }
    }

    fn wait_again(&mut self, told: Told) {
        let Told {
            mut sound, is_turn, ..
        } = told;
        // Told once more, it is known to be a turn before the model notices.
        self.told.is_turn |= is_turn;
        for piece in sound.make_contiguous().rchunks(samples(PIECE)) {
            let piece = Pcm::from(piece.to_vec());
            self.held += piece.duration();
            self.frames.push_front(piece);
        }
        if self.state == State::Up {
            self.state = State::CatchingUp;
        }
    }

    pub(super) fn close(&mut self) {
        self.state = State::Closed;
        self.frames = VecDeque::new();
        self.held = Duration::ZERO;
        self.told = Told::default();
        self.items.clear();
        self.spare = Vec::new();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn limit(&self) -> Duration {
        match self.state {
            State::CatchingUp | State::Down => DOWN_LIMIT,
            State::Closed => Duration::ZERO,
            State::Up => UP_LIMIT,
        }
    }

    fn pop(&mut self) -> Option<Pcm> {
        let frame = self.frames.pop_front()?;
        self.held = self.held.saturating_sub(frame.duration());
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 20 ms whose samples all hold `name`.
    fn frame(name: usize) -> Pcm {
        Pcm::from(vec![name as i16; 480])
    }

    /// What is told again comes in longer pieces.
    fn names(pieces: &[Pcm]) -> Vec<i16> {
        let frames = pieces.iter().flat_map(|piece| piece.as_slice().chunks(480));
        frames.map(|frame| frame[0]).collect()
    }

    fn take_all(ring: &mut Ring) -> Vec<i16> {
        let mut frames = Vec::new();
        while !ring.is_empty() {
            ring.take(Duration::from_secs(60), &mut frames);
        }
        names(&frames)
    }

    #[test]
    fn while_up_only_the_last_second_is_kept() {
        let mut ring = Ring::new();
        ring.set_up();
        let dropped: u64 = (0..60).map(|name| ring.push(frame(name))).sum();
        assert_eq!(dropped, 10);
        assert_eq!(take_all(&mut ring), (10..60).collect::<Vec<_>>());
        assert_eq!(ring.dropped(), 10);
    }

    #[test]
    fn while_down_the_last_ten_seconds_are_kept_and_survive_the_way_up() {
        let mut ring = Ring::new();
        (0..600).for_each(|name| {
            ring.push(frame(name));
        });
        ring.set_up();
        ring.push(frame(600));
        assert_eq!(take_all(&mut ring), (101..=600).collect::<Vec<_>>());
        (0..60).for_each(|name| {
            ring.push(frame(name));
        });
        assert_eq!(take_all(&mut ring).len(), 50, "the tight bound is back");
    }

    /// Up, with these frames told to the connection.
    fn told(names: std::ops::Range<usize>) -> Ring {
        let mut ring = Ring::new();
        ring.set_up();
        tell(&mut ring, names);
        ring
    }

    fn tell(ring: &mut Ring, names: std::ops::Range<usize>) {
        for name in names {
            ring.push(frame(name));
            let mut frames = Vec::new();
            ring.take(Duration::from_secs(1), &mut frames);
            ring.told(frames.into_iter());
        }
    }

    #[test]
    fn a_turn_that_is_no_item_yet_is_told_again_before_what_was_said_meanwhile() {
        let mut ring = told(0..100);
        ring.turn_begins(None);
        tell(&mut ring, 100..200);
        ring.push(frame(200));
        ring.set_down();
        ring.push(frame(201));
        ring.set_up();
        // 700 ms before the model noticed, too.
        assert_eq!(take_all(&mut ring), (65..=201).collect::<Vec<_>>());
    }

    #[test]
    fn a_turn_that_is_an_item_is_not_told_again() {
        let mut ring = told(0..50);
        ring.turn_begins(None);
        tell(&mut ring, 50..100);
        ring.turn_is_over();
        tell(&mut ring, 100..110);
        ring.set_down();
        assert_eq!(take_all(&mut ring), (100..110).collect::<Vec<_>>());
    }

    #[test]
    fn items_without_words_are_told_again_on_demand_before_everything_else() {
        let [known, asked, other] = ["a", "b", "c"].map(ItemId::new);
        let mut ring = told(0..10);
        for (at, item) in [(10, &known), (20, &asked), (30, &other)] {
            ring.turn_begins(None);
            tell(&mut ring, at..at + 10);
            ring.turn_is_item(item.clone());
        }
        ring.item_is_known(&known);
        tell(&mut ring, 40..45);
        ring.set_down();
        ring.push(frame(45));
        ring.set_up();
        ring.hear_again(&[known, asked.clone()]);
        assert_eq!(
            take_all(&mut ring),
            (20..30).chain(40..=45).collect::<Vec<_>>()
        );

        ring.hear_again(&[asked]);
        assert!(ring.is_empty(), "once");
    }

    #[test]
    fn of_items_without_words_ten_seconds_are_kept() {
        let mut ring = told(0..0);
        for at in 0..20 {
            ring.turn_begins(None);
            tell(&mut ring, at * 100..(at + 1) * 100);
            ring.turn_is_item(ItemId::new(at.to_string()));
        }
        ring.set_down();
        let all: Vec<_> = (0..20).map(|at| ItemId::new(at.to_string())).collect();
        ring.hear_again(&all);
        assert_eq!(take_all(&mut ring), (1_500..2_000).collect::<Vec<_>>());
    }

    #[test]
    fn items_of_nothing_do_not_pile_up() {
        let mut ring = told(0..0);
        for n in 0..1_000 {
            ring.turn_is_item(ItemId::new(n.to_string()));
        }
        assert_eq!(ring.items.len(), MOST_ITEMS);
    }

    #[test]
    fn a_turn_that_is_told_again_is_kept_whole_though_the_model_has_not_noticed_it_yet() {
        let mut ring = told(0..0);
        ring.turn_begins(None);
        tell(&mut ring, 0..100);
        for _ in 0..3 {
            ring.set_down();
            ring.set_up();
            let mut frames = Vec::new();
            ring.take(Duration::from_secs(60), &mut frames);
            assert_eq!(names(&frames), (0..100).collect::<Vec<_>>());
            ring.told(frames.into_iter());
        }
    }

    #[test]
    fn of_a_speech_without_end_the_last_ten_seconds_are_told_again() {
        let mut ring = told(0..1);
        ring.turn_begins(None);
        tell(&mut ring, 1..2_000);
        ring.set_down();
        assert_eq!(take_all(&mut ring), (1_500..2_000).collect::<Vec<_>>());
        assert_eq!(ring.dropped(), 0);
    }

    #[test]
    fn taking_is_bounded_but_always_gets_something() {
        let mut ring = Ring::new();
        (0..5).for_each(|name| {
            ring.push(frame(name));
        });
        let mut frames = Vec::new();
        ring.take(Duration::from_millis(50), &mut frames);
        assert_eq!(names(&frames), [0, 1]);
        frames.clear();
        ring.take(Duration::from_millis(1), &mut frames);
        assert_eq!(names(&frames), [2]);
    }

    #[test]
    fn sound_that_comes_all_at_once_is_passed_on_whole() {
        let mut ring = Ring::new();
        ring.set_up();
        assert_eq!(ring.push(Pcm::from(vec![0; 24_000 * 3])), 0);
        assert_eq!(ring.push(frame(1)), 0, "nor does it go for the next");
        let mut frames = Vec::new();
        ring.take(Duration::from_secs(60), &mut frames);
        let all: Duration = frames.iter().map(Pcm::duration).sum();
        assert_eq!(all, Duration::from_millis(3_020));
        // And again, should the connection break before it noticed anything.
        ring.told(frames.into_iter());
        ring.set_down();
        assert_eq!(ring.held, all);
    }

    #[test]
    fn what_was_told_leaves_its_memory_and_is_told_again_all_the_same() {
        let mut ring = told(0..0);
        ring.turn_begins(None);
        let mut memory = Vec::from(frame(0));
        memory.reserve_exact(1_000);
        let place = memory.as_ptr();
        for name in 0..100 {
            memory.fill(name);
            ring.push(Pcm::from(memory));
            let mut frames = Vec::new();
            ring.take(Duration::from_secs(1), &mut frames);
            ring.told(frames.into_iter());
            memory = Vec::from(ring.spare().unwrap());
            assert_eq!(memory.as_ptr(), place);
        }
        assert!(ring.spare().is_none());
        ring.set_down();
        assert_eq!(take_all(&mut ring), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_told_after_the_end_of_a_turn_belongs_to_the_next_one() {
        let item = ItemId::new("first");
        let begun = |at| {
            let mut ring = told(0..0);
            ring.turn_begins(Some(Duration::ZERO));
            tell(&mut ring, 0..100);
            ring.turn_is_item(item.clone());
            tell(&mut ring, 100..110);
            ring.turn_begins(Some(at));
            ring
        };
        let at = Duration::from_millis(60 * 20);
        let mut ring = begun(at);
        ring.item_is_known(&item);
        ring.set_down();
        assert_eq!(take_all(&mut ring), (60..110).collect::<Vec<_>>());

        let mut ring = begun(at);
        ring.set_down();
        ring.set_up();
        ring.hear_again(std::slice::from_ref(&item));
        let all = take_all(&mut ring);
        assert_eq!(all, (0..110).collect::<Vec<_>>(), "each once, in order");

        // What makes no sense changes nothing.
        for at in [Duration::ZERO, Duration::MAX] {
            let mut ring = begun(at);
            ring.item_is_known(&item);
            ring.set_down();
            assert_eq!(take_all(&mut ring), (100..110).collect::<Vec<_>>());
        }
    }

    #[test]
    fn little_memory_waits_to_be_used_again() {
        let mut ring = told(0..100);
        assert_eq!(ring.spare.len(), SPARES);
        ring.spare.clear();
        ring.push(Pcm::from(vec![0; 4_800]));
        let mut frames = Vec::new();
        ring.take(Duration::from_secs(1), &mut frames);
        ring.told(frames.into_iter());
        assert!(ring.spare().is_none(), "none of a long piece");
    }

    #[test]
    fn a_closed_lane_keeps_nothing() {
        let mut ring = Ring::new();
        ring.push(frame(1));
        ring.close();
        assert!(ring.is_empty());
        assert_eq!(ring.push(frame(2)), 1);
        ring.set_up();
        assert_eq!(ring.push(frame(3)), 1);
        assert!(ring.is_empty());
    }
}
