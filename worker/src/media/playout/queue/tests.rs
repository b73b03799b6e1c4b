use super::*;

fn response(name: &str) -> ResponseId {
    ResponseId::new(name)
}

fn item(name: &str) -> ItemId {
    ItemId::new(name)
}

fn millis(millis: usize, value: i16) -> Pcm {
    Pcm::from(vec![value; millis * 24])
}

fn heard(of: &str, part: &str, millis: u64) -> Heard {
    let heard = Duration::from_millis(millis);
    Heard {
        response: response(of),
        item: item(part),
        heard,
    }
}

fn facts(queue: &mut Queue) -> Vec<Playout> {
    std::iter::from_fn(|| queue.poll_fact()).collect()
}

fn pull(queue: &mut Queue) -> (Pulled, Frame) {
    let mut frame = [9; FRAME_SAMPLES];
    let pulled = queue.pull(&mut frame);
    (pulled, frame)
}

#[test]
fn items_play_in_order_and_without_a_seam() {
    let mut queue = Queue::default();
    queue.push(&response("r"), &item("a"), millis(15, 1));
    queue.push(&response("r"), &item("b"), millis(5, 2));
    queue.finish(&item("a"));
    queue.finish(&item("b"));
    assert_eq!(pull(&mut queue), (Pulled::Audio, [1; FRAME_SAMPLES]));
    let (_, second) = pull(&mut queue);
    assert!(second[..120].iter().all(|s| *s == 1) && second[120..].iter().all(|s| *s == 2));
    let started = |name| Playout::Started {
        response: response("r"),
        item: item(name),
    };
    let expected = [
        started("a"),
        Playout::Advanced(heard("r", "a", 15)),
        started("b"),
        Playout::Advanced(heard("r", "b", 5)),
        Playout::Drained,
    ];
    assert_eq!(facts(&mut queue), expected);
    assert_eq!(pull(&mut queue).0, Pulled::Nothing);
}

#[test]
fn incomplete_item_keeps_its_last_samples_until_a_frame_is_full() {
    let mut queue = Queue::default();
    queue.push(&response("r"), &item("a"), millis(5, 1));
    assert_eq!(pull(&mut queue), (Pulled::Underrun, [0; FRAME_SAMPLES]));
    queue.push(&response("r"), &item("a"), millis(5, 1));
    assert_eq!(pull(&mut queue), (Pulled::Audio, [1; FRAME_SAMPLES]));
    assert_eq!(pull(&mut queue).0, Pulled::Underrun);
    queue.push(&response("r"), &item("a"), millis(5, 3));
    queue.finish(&item("a"));
    let (pulled, last) = pull(&mut queue);
    assert_eq!(pulled, Pulled::Audio);
    assert_eq!((last[119], last[120]), (3, 0));
    assert_eq!(facts(&mut queue).last(), Some(&Playout::Drained));
}

#[test]
fn item_that_completes_after_its_last_sample_still_drains() {
    let mut queue = Queue::default();
    queue.push(&response("r"), &item("a"), millis(10, 1));
    pull(&mut queue);
    assert!(!facts(&mut queue).contains(&Playout::Drained));
    queue.finish(&item("a"));
    assert_eq!(facts(&mut queue).last(), Some(&Playout::Drained));
}

#[test]
fn flush_tells_what_was_heard_of_every_item() {
    let mut queue = Queue::default();
    queue.push(&response("r"), &item("a"), millis(50, 1));
    queue.push(&response("r"), &item("b"), millis(50, 2));
    pull(&mut queue);
    pull(&mut queue);
    queue.flush(Some(response("r")), None);
    let cut = vec![heard("r", "a", 20), heard("r", "b", 0)];
    assert_eq!(facts(&mut queue).last(), Some(&Playout::Flushed { cut }));
    assert_eq!(pull(&mut queue), (Pulled::Nothing, [0; FRAME_SAMPLES]));
}

#[test]
fn late_audio_of_a_flushed_response_is_dropped_and_other_audio_is_not() {
    let mut queue = Queue::default();
    queue.flush(Some(response("old")), None);
    assert_eq!(
        queue.push(&response("old"), &item("a"), millis(10, 1)),
        Pushed::Late
    );
    assert_eq!(
        queue.push(&response("new"), &item("b"), millis(10, 2)),
        Pushed::Queued
    );
    assert_eq!(pull(&mut queue), (Pulled::Audio, [2; FRAME_SAMPLES]));
}

#[test]
fn flush_without_a_response_lets_later_audio_pass() {
    let mut queue = Queue::default();
    queue.push(&response("r"), &item("a"), millis(10, 1));
    queue.flush(None, None);
    assert_eq!(
        queue.push(&response("r"), &item("a"), millis(10, 2)),
        Pushed::Queued
    );
    assert_eq!(pull(&mut queue), (Pulled::Audio, [2; FRAME_SAMPLES]));
}

#[test]
fn flush_leaves_the_response_alone_that_is_the_answer() {
    let mut queue = Queue::default();
    queue.push(&response("old"), &item("a"), millis(50, 1));
    queue.push(&response("new"), &item("b"), millis(50, 2));
    pull(&mut queue);
    queue.flush(Some(response("old")), Some(&response("new")));
    let cut = vec![heard("old", "a", 10)];
    assert_eq!(facts(&mut queue).last(), Some(&Playout::Flushed { cut }));
    for _ in 0..5 {
        assert_eq!(pull(&mut queue), (Pulled::Audio, [2; FRAME_SAMPLES]));
    }
    assert!(!queue.has(1), "its 50 ms and no more");
}

#[test]
fn a_dropped_response_leaves_the_one_before_it_alone() {
    let mut queue = Queue::default();
    queue.push(&response("old"), &item("a"), millis(20, 1));
    queue.push(&response("new"), &item("b"), millis(50, 2));
    pull(&mut queue);
    queue.drop_response(response("new"));
    let late = queue.push(&response("new"), &item("b"), millis(10, 2));
    assert_eq!(late, Pushed::Late);
    assert_eq!(pull(&mut queue), (Pulled::Audio, [1; FRAME_SAMPLES]));
    assert!(!queue.has(1));
}

#[test]
fn response_that_never_ends_is_refused_and_what_is_queued_still_plays() {
    let mut queue = Queue::default();
    let minute = || Pcm::silence(Duration::from_secs(60));
    for _ in 0..5 {
        assert_eq!(
            queue.push(&response("r"), &item("a"), minute()),
            Pushed::Queued
        );
    }
    assert_eq!(
        queue.push(&response("r"), &item("a"), minute()),
        Pushed::TooLong
    );
    assert_eq!(
        queue.push(&response("r"), &item("a"), millis(1, 1)),
        Pushed::Late
    );
    assert_eq!(pull(&mut queue).0, Pulled::Audio);
}

#[test]
fn playhead_is_reported_ten_times_a_second_and_coalesced_when_nobody_reads() {
    let mut queue = Queue::default();
    queue.push(
        &response("r"),
        &item("a"),
        Pcm::silence(Duration::from_secs(2)),
    );
    let mut reports = 0;
    for _ in 0..100 {
        pull(&mut queue);
        reports += facts(&mut queue)
            .iter()
            .filter(|f| matches!(f, Playout::Advanced(_)))
            .count();
    }
    assert_eq!(reports, 10);
    for _ in 0..50 {
        pull(&mut queue);
    }
    assert_eq!(
        facts(&mut queue),
        [Playout::Advanced(heard("r", "a", 1_500))]
    );
}

#[test]
fn cut_voice_fades_within_five_milliseconds() {
    let mut queue = Queue::default();
    queue.push(&response("r"), &item("a"), millis(40, 1_000));
    pull(&mut queue);
    let mut frame = [7; FRAME_SAMPLES];
    queue.fade(&mut frame);
    assert_eq!(frame[0], 1_000);
    assert!(frame.windows(2).all(|pair| pair[0] >= pair[1]));
    assert!(frame[FADE_SAMPLES..].iter().all(|sample| *sample == 0));
}
