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
    ring.owed().turn_begins(None);
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
    ring.owed().turn_begins(None);
    tell(&mut ring, 50..100);
    ring.owed().turn_is_over();
    tell(&mut ring, 100..110);
    ring.set_down();
    assert_eq!(take_all(&mut ring), (100..110).collect::<Vec<_>>());
}

#[test]
fn items_without_words_are_told_again_on_demand_before_everything_else() {
    let [known, asked, other] = ["a", "b", "c"].map(ItemId::new);
    let mut ring = told(0..10);
    for (at, item) in [(10, &known), (20, &asked), (30, &other)] {
        ring.owed().turn_begins(None);
        tell(&mut ring, at..at + 10);
        ring.owed().turn_is_item(item.clone());
    }
    ring.owed().item_is_known(&known);
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
        ring.owed().turn_begins(None);
        tell(&mut ring, at * 100..(at + 1) * 100);
        ring.owed().turn_is_item(ItemId::new(at.to_string()));
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
        ring.owed().turn_is_item(ItemId::new(n.to_string()));
    }
    assert_eq!(ring.owed.items(), owed::MOST_ITEMS);
}

#[test]
fn a_turn_that_is_told_again_is_kept_whole_though_the_model_has_not_noticed_it_yet() {
    let mut ring = told(0..0);
    ring.owed().turn_begins(None);
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
    ring.owed().turn_begins(None);
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
    ring.owed().turn_begins(None);
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
        ring.owed().turn_begins(Some(Duration::ZERO));
        tell(&mut ring, 0..100);
        ring.owed().turn_is_item(item.clone());
        tell(&mut ring, 100..110);
        ring.owed().turn_begins(Some(at));
        ring
    };
    let at = Duration::from_millis(60 * 20);
    let mut ring = begun(at);
    ring.owed().item_is_known(&item);
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
        ring.owed().item_is_known(&item);
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
