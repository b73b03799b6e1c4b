//! Silence, stalls and clocks: the time line of what is delivered follows real time.

use super::*;

#[test]
fn turn_ends_on_time_when_the_sender_goes_quiet() {
    for payload in [SPEECH, DTX] {
        let mut track = Track::new();
        (0..50).for_each(|n| track.even(n, 0, SPEECH));
        // One packet every 400 ms from now on, or none at all.
        if payload == DTX {
            for n in [50_u32, 70, 90, 110] {
                let place = u64::from((n - 50) / 20);
                let at = millis(u64::from(n) * 20 + 20);
                track.feed(at, 1_050 + place, (n * PACKET).wrapping_sub(9_600), DTX);
            }
        }
        track.run_to(millis(3_000));
        let ends = track.turn_ends(millis(500)).unwrap();
        let real = millis(50 * 20 + 500);
        // A packet of silence may come for a step that was written already.
        assert!(
            ends + millis(10) >= real && ends <= real + millis(20),
            "{ends:?} for {real:?}"
        );
    }
}

#[test]
fn muted_track_is_silent_in_real_time() {
    let mut track = Track::new();
    (0..50).for_each(|n| track.even(n, 0, SPEECH));
    track.run_to(millis(1_000 + 60_000));
    let silence: Vec<_> = track.repairs().iter().map(length).collect();
    let total =
        Duration::from_micros(silence.iter().map(|t| u64::from(*t)).sum::<u64>() * 1_000 / 48);
    assert!(total.abs_diff(millis(60_000)) <= millis(100), "{total:?}");
    assert!(silence.iter().all(|ticks| *ticks <= 180 * MILLI));
    assert!(silence[1..90].iter().all(|ticks| *ticks == PACKET / 2));
    assert!(silence[100..140].iter().all(|ticks| *ticks == PACKET));
    assert!(silence[160..].iter().all(|ticks| *ticks == 5 * PACKET));
}

#[test]
fn who_speaks_in_a_rest_is_heard_at_once_with_all_the_silence_before_it() {
    let mut track = Track::new();
    (0..50).for_each(|n| track.even(n, 0, SPEECH));
    // Packets of silence now and then change nothing.
    for place in 0..9 {
        let n = 69 + place * 20;
        let at = millis(u64::from(n) * 20 + 20);
        track.feed(
            at,
            u64::from(1_050 + place),
            (n * PACKET).wrapping_sub(9_600),
            DTX,
        );
    }
    let writes = track.out.len();
    track.run_to(millis(5_350));
    assert_eq!(track.out.len() - writes, 7, "one for each 100 ms");
    // 70 ms after the last piece of silence.
    let n = 267;
    track.feed(
        millis(5_360),
        1_059,
        (n * PACKET).wrapping_sub(9_600),
        SPEECH,
    );
    let (at, last) = track.out.last().expect("something was heard");
    assert!(matches!(last, Action::Decode(_)), "{last:?}");
    assert_eq!(*at, millis(5_360));
    assert!(track.delivered().abs_diff(millis(5_360)) <= millis(20));
}

#[test]
fn what_nobody_hears_needs_one_step_per_second() {
    let mut track = Track::new();
    track.arrival.set_unheard(true);
    track.run_to(millis(10_001));
    assert_eq!(track.out.len(), 10);
    assert_eq!(track.delivered(), millis(10_000));
}

#[test]
fn silence_begins_with_the_subscription() {
    let mut track = Track::new();
    track.run_to(millis(1_001));
    assert_eq!(track.delivered(), millis(1_000));
}

#[test]
fn stall_loses_nothing_and_is_paid_back_in_the_next_silence() {
    let mut track = Track::new();
    (0..100).for_each(|n| track.even(n, 0, SPEECH));
    for n in 100..140 {
        let late = u64::from(139 - n) * 20;
        track.even(n, late, SPEECH);
    }
    assert_eq!(track.decoded(), (0..140).collect::<Vec<_>>());
    assert!(track.arrival.debt(track.now) > ticks(millis(200)));
    let quiet_at = track.now + millis(1_900);
    track.run_to(quiet_at - track.start);
    assert_eq!(track.arrival.debt(track.now), 0);
    assert!(track.delivered().abs_diff(track.now - track.start) <= millis(40));
}

#[test]
fn debt_is_also_paid_from_decoded_silence_at_most_every_second_frame() {
    let mut track = Track::new();
    (0..100).for_each(|n| track.even(n, 0, SPEECH));
    (100..140).for_each(|n| track.even(n, u64::from(139 - n) * 20, SPEECH));
    let before = track.arrival.debt(track.now);
    let dropped: Vec<_> = (0..6)
        .map(|_| track.arrival.drops_quiet(track.now, 480))
        .collect();
    assert_eq!(dropped, [true, false, true, false, true, false]);
    assert_eq!(track.arrival.debt(track.now), before - 3 * 480);
}

#[test]
fn time_line_follows_real_time_whatever_the_senders_clock_does() {
    for ppm in [-200_i64, 200] {
        let mut track = Track::new();
        // Half an hour: 4 s of speech, 6 s of nothing.
        let at = |n: u64| millis(20).mul_f64(n as f64 / (1.0 + ppm as f64 * 1e-6));
        let spoken = (0..90_000_u64).filter(|n| n % 500 < 200);
        for (sequence, n) in (0..).zip(spoken) {
            track.feed(at(n + 1), sequence, n as u32 * PACKET, SPEECH);
            let real = track.now - track.start;
            let apart = track.delivered().abs_diff(real);
            assert!(apart <= millis(40), "{ppm} ppm: {apart:?} at {real:?}");
        }
        assert!(
            track
                .repairs()
                .iter()
                .all(|action| matches!(action, Action::Silence { .. }))
        );
    }
}
