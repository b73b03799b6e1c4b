//! Whatever order packets come in.

use super::*;

/// Property: whatever the order inside the wait, the output is that of the stream in order.
#[test]
fn any_order_within_the_wait_gives_the_output_of_the_ordered_stream() {
    for seed in 1..400 {
        let mut state = seed;
        let mut arrivals: Vec<(u64, u32)> = (0..120_u32)
            .map(|n| (u64::from(n) * 20 + 20 + dice(&mut state) % 29, n))
            .collect();
        arrivals.sort_unstable();
        let mut track = Track::new();
        for (at, n) in arrivals {
            track.run_to(millis(at));
            // The wait itself is learned; here it is held at its start value.
            track.arrival.wait = GapWait::new(track.now);
            track.even(n, at - u64::from(n) * 20 - 20, SPEECH);
        }
        track.run_to(millis(120 * 20 + 55));
        let first = track.decoded().first().copied().unwrap_or_default();
        assert_eq!(
            track.decoded(),
            (first..120).collect::<Vec<_>>(),
            "seed {seed}"
        );
        assert!(
            first <= 2,
            "seed {seed}: what came before the first packet is not waited for"
        );
        assert_eq!(track.repairs(), [], "seed {seed}");
    }
}

/// Whatever comes, in whatever order: every deadline lies ahead once it was served, nothing is
/// decoded twice, and the time line never runs away from real time.
#[test]
fn no_sequence_of_packets_upsets_the_time_line() {
    for seed in 1..60 {
        let mut state = seed * 7_919;
        let mut track = Track::new();
        let (mut sequence, mut timestamp) = (0_u64, 0_u32);
        for _ in 0..400 {
            let pause = [0, 1, 20, 20, 20, 45, 500, 2_500][dice(&mut state) as usize % 8];
            let at = track.now - track.start + millis(pause);
            let (back, ahead) = (dice(&mut state) % 12, dice(&mut state) % 4);
            match dice(&mut state) % 16 {
                0 => sequence = sequence.saturating_sub(back),
                1 => sequence += ahead,
                2 => sequence = dice(&mut state),
                3 => timestamp = dice(&mut state) as u32,
                4 => timestamp = timestamp.wrapping_add(back as u32 * 777),
                _ => {}
            }
            let payload = if dice(&mut state).is_multiple_of(4) {
                DTX
            } else {
                SPEECH
            };
            track.feed(at, sequence, timestamp, payload);
            (sequence, timestamp) = (sequence + 1, timestamp.wrapping_add(PACKET));
            let due = track.arrival.deadline(track.now);
            assert!(due.is_some(), "seed {seed}: silence always comes");
        }
        track.run_to(track.now - track.start + millis(30_000));
        let due = track.arrival.deadline(track.now);
        assert!(due.is_some_and(|due| due >= track.now), "seed {seed}");
        let behind = (track.now - track.start).saturating_sub(track.delivered());
        assert!(
            behind <= silence::REST_STEP + silence::STEP,
            "seed {seed}: {behind:?} behind after a long pause"
        );
        let mut decoded = track.decoded_since_reset();
        decoded.sort_unstable();
        assert!(
            decoded.windows(2).all(|pair| pair[0] != pair[1]),
            "seed {seed}"
        );
    }
}
