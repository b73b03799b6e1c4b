use std::time::Duration;

use dialog::input::Playout;

use super::*;

/// A pump on a virtual clock, with everything it handed over and when.
struct Bench {
    pump: Pump,
    start: Instant,
    now: Instant,
    sent: Vec<(u64, i16)>,
}

impl Bench {
    fn new() -> Self {
        let start = Instant::now();
        Self {
            pump: Pump::default(),
            start,
            now: start,
            sent: Vec::new(),
        }
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut Pump, Instant, &mut dyn FnMut(&Frame)) -> T) -> T {
        let at = (self.now - self.start).as_millis() as u64;
        let sent = &mut self.sent;
        act(&mut self.pump, self.now, &mut |frame| {
            sent.push((at, frame[0]))
        })
    }

    fn push(&mut self, millis: usize, value: i16) {
        let ids = (ResponseId::new("r"), ItemId::new("a"));
        let pcm = Pcm::from(vec![value; millis * 24]);
        self.act(|pump, now, out| pump.push(now, (&ids.0, &ids.1), pcm, out));
    }

    fn clip(&mut self, millis: usize, value: i16) {
        let pcm = Pcm::from(vec![value; millis * 24]);
        self.act(|pump, now, out| pump.play_clip(now, pcm, out));
    }

    /// Clips that were told to be over since the last question.
    fn clips_over(&mut self) -> usize {
        let queue = self.pump.queue();
        let facts = std::iter::from_fn(|| queue.poll_fact());
        facts.filter(|fact| *fact == Playout::ClipOver).count()
    }

    /// What was told of the playhead since the last question, in milliseconds; `None` = it starved.
    fn told(&mut self) -> Vec<Option<u128>> {
        let queue = self.pump.queue();
        let facts = std::iter::from_fn(|| queue.poll_fact());
        facts
            .filter_map(|fact| match fact {
                Playout::Advanced(heard) => Some(Some(heard.heard.as_millis())),
                Playout::Starved => Some(None),
                _ => None,
            })
            .collect()
    }

    fn finish(&mut self) {
        self.act(|pump, now, out| pump.finish(now, &ItemId::new("a"), out));
    }

    fn flush(&mut self) {
        self.act(|pump, _, out| pump.flush(Some(ResponseId::new("r")), None, out));
    }

    /// Runs every deadline up to `millis` after the start, each exactly on time.
    fn run_to(&mut self, millis: u64) {
        let end = self.start + Duration::from_millis(millis);
        while let Some(due) = self.pump.deadline().filter(|due| *due <= end) {
            self.now = due;
            self.act(|pump, now, out| pump.on_deadline(now, out));
        }
        self.now = end;
    }

    fn take_sent(&mut self) -> Vec<(u64, i16)> {
        std::mem::take(&mut self.sent)
    }
}

#[test]
fn a_clip_waits_for_silence_and_what_comes_meanwhile_for_its_end() {
    let mut bench = Bench::new();
    bench.push(100, 1);
    bench.clip(100, 7);
    bench.finish();
    bench.run_to(150);
    bench.push(40, 2);
    bench.finish();
    bench.run_to(1_000);
    let sent = bench.take_sent().into_iter().map(|(_, value)| value);
    let sounds: Vec<_> = sent.filter(|value| *value != 0).collect();
    assert_eq!(sounds, [vec![1; 10], vec![7; 10], vec![2; 4]].concat());
    assert_eq!(bench.clips_over(), 1);
}

#[test]
fn a_clip_that_is_stopped_fades_and_lets_speech_begin() {
    let mut bench = Bench::new();
    bench.clip(1_000, 500);
    bench.run_to(50);
    bench.push(40, 2);
    bench.take_sent();
    bench.act(|pump, now, out| pump.stop_clip(now, out));
    bench.run_to(1_000);
    let sent = bench.take_sent();
    let values: Vec<_> = sent.iter().map(|(_, value)| *value).collect();
    assert_eq!(values[0], 500, "the fade begins at full voice");
    assert_eq!(values[1..6].iter().filter(|value| **value == 2).count(), 4);
    assert_eq!(values.iter().filter(|value| **value == 500).count(), 1);
    assert_eq!(bench.clips_over(), 1);
}

#[test]
fn a_clip_of_nothing_is_over_at_once_and_one_in_a_closed_voice_waits() {
    let mut bench = Bench::new();
    bench.clip(0, 1);
    assert_eq!(bench.clips_over(), 1);
    bench.pump.close();
    bench.clip(20, 7);
    assert_eq!(bench.take_sent(), []);
    bench.act(|pump, now, out| pump.open(now, out));
    assert_eq!(bench.take_sent(), [(0, 7), (0, 7)]);
}

#[test]
fn first_packet_leaves_within_the_push_and_the_rest_on_the_grid() {
    let mut bench = Bench::new();
    bench.push(60, 5);
    assert_eq!(bench.take_sent(), [(0, 5), (0, 5)]);
    bench.run_to(40);
    assert_eq!(bench.take_sent(), [(20, 5), (20, 5), (40, 5), (40, 5)]);
}

#[test]
fn speech_begins_only_with_a_whole_packet_or_a_complete_item() {
    let mut bench = Bench::new();
    bench.push(15, 5);
    assert!(bench.take_sent().is_empty());
    bench.finish();
    assert_eq!(bench.take_sent(), [(0, 5), (0, 5)]);
}

#[test]
fn two_hundred_milliseconds_of_silence_follow_and_then_nothing() {
    let mut bench = Bench::new();
    bench.push(40, 5);
    bench.finish();
    bench.run_to(10_000);
    let sent = bench.take_sent();
    assert_eq!(sent.iter().filter(|(_, value)| *value == 5).count(), 4);
    let silence = sent.iter().filter(|(_, value)| *value == 0).count();
    assert_eq!(silence, 20);
    assert_eq!(sent.last(), Some(&(220, 0)));
    assert_eq!(bench.pump.deadline(), None);
}

#[test]
fn flush_leaves_no_sample_of_the_past_for_later() {
    let mut bench = Bench::new();
    bench.push(1_000, 500);
    bench.run_to(50);
    bench.take_sent();
    bench.flush();
    let during = bench.take_sent();
    assert_eq!(during, [(50, 500), (50, 0)], "a whole packet at once");
    bench.push(1_000, 500);
    bench.run_to(5_000);
    assert!(bench.take_sent().iter().all(|(_, value)| *value == 0));
    assert_eq!(bench.pump.deadline(), None);
}

#[test]
fn flush_of_a_silent_pump_sends_nothing() {
    let mut bench = Bench::new();
    bench.flush();
    assert!(bench.take_sent().is_empty());
    bench.push(100, 1);
    assert!(
        bench.take_sent().is_empty(),
        "late audio of the flushed response"
    );
}

#[test]
fn next_speech_begins_at_once_even_in_the_silence_after_the_last() {
    let mut bench = Bench::new();
    bench.push(20, 5);
    bench.finish();
    bench.run_to(105);
    bench.take_sent();
    let (response, item) = (ResponseId::new("r2"), ItemId::new("b"));
    let pcm = Pcm::from(vec![6; 960]);
    bench.act(|pump, now, out| pump.push(now, (&response, &item), pcm, out));
    let sent = bench.take_sent();
    assert!(!sent.is_empty() && sent.iter().all(|frame| *frame == (105, 6)));
    bench.run_to(130);
    assert_eq!(bench.take_sent(), [(125, 6), (125, 6)]);
}

#[test]
fn paused_voice_is_silent_and_goes_on_where_it_stopped() {
    let mut bench = Bench::new();
    let ids = (ResponseId::new("r"), ItemId::new("a"));
    // Every frame has a value of its own.
    let pcm: Vec<i16> = (0..100).flat_map(|n| [1_000 + n; FRAME_SAMPLES]).collect();
    bench.act(|pump, now, out| pump.push(now, (&ids.0, &ids.1), Pcm::from(pcm), out));
    bench.run_to(50);
    bench.act(|pump, _, out| pump.pause(out));
    let before = bench.take_sent();
    let last = before.iter().map(|(_, value)| *value).filter(|v| *v > 0);
    assert_eq!(last.max(), Some(1_006), "the seventh frame is faded");
    bench.run_to(2_000);
    assert!(bench.take_sent().iter().all(|(_, value)| *value == 0));
    assert_eq!(bench.pump.deadline(), None, "asleep");
    assert_eq!(bench.pump.queue().position(), Duration::from_millis(60));
    bench.act(|pump, now, out| pump.resume(now, out));
    bench.run_to(2_020);
    let after: Vec<_> = bench.take_sent();
    assert_eq!(after[0], (2_000, 0), "fades in");
    assert_eq!(after[1..], [(2_000, 1_007), (2_020, 1_008), (2_020, 1_009)]);
}

#[test]
fn what_is_pushed_during_a_pause_waits_for_its_end() {
    let mut bench = Bench::new();
    bench.act(|pump, _, out| pump.pause(out));
    bench.push(100, 5);
    bench.run_to(500);
    assert!(bench.take_sent().is_empty());
    bench.act(|pump, now, out| pump.resume(now, out));
    assert_eq!(bench.take_sent(), [(500, 5), (500, 5)]);
}

#[test]
fn a_pause_is_told_only_when_a_voice_fell_silent() {
    let mut bench = Bench::new();
    bench.act(|pump, _, out| pump.pause(out));
    assert_eq!(bench.pump.queue().poll_fact(), None);
    bench.act(|pump, now, out| pump.resume(now, out));
    bench.push(100, 5);
    bench.act(|pump, _, out| pump.pause(out));
    bench.act(|pump, _, out| pump.pause(out));
    let facts: Vec<_> = std::iter::from_fn(|| bench.pump.queue().poll_fact()).collect();
    assert_eq!(facts.iter().filter(|f| **f == Playout::Paused).count(), 1);
}

#[test]
fn underrun_is_counted_once_and_speech_resumes_with_its_audio() {
    let mut bench = Bench::new();
    bench.push(40, 5);
    bench.run_to(100);
    assert_eq!(bench.pump.take_underruns(), 1);
    bench.take_sent();
    bench.push(40, 5);
    assert!(bench.take_sent().iter().all(|frame| *frame == (100, 5)));
}

#[test]
fn a_voice_that_stops_for_want_of_more_says_so_once_and_where_it_goes_on() {
    let mut bench = Bench::new();
    bench.push(160, 5);
    bench.run_to(300);
    assert_eq!(bench.told(), [Some(100)], "the far end may not notice yet");
    bench.run_to(2_000);
    assert_eq!(bench.told(), [Some(160), None]);
    bench.push(40, 5);
    assert_eq!(bench.told(), [Some(170)]);
    bench.run_to(4_000);
    assert_eq!(bench.told(), [Some(200), None]);
    // In a pause that is not said, and after it at once.
    bench.push(160, 5);
    bench.run_to(4_200);
    bench.told();
    bench.act(|pump, _, out| pump.pause(out));
    bench.run_to(5_000);
    assert_eq!(bench.told(), []);
    bench.act(|pump, now, out| pump.resume(now, out));
    assert_eq!(bench.told(), [Some(360), None]);
    // An item that is whole ends, and a voice that was paused waits.
    bench.finish();
    bench.push(100, 5);
    bench.act(|pump, _, out| pump.pause(out));
    bench.told();
    bench.run_to(9_000);
    assert_eq!(bench.told(), []);
}

#[test]
fn late_wake_up_is_caught_up_in_a_short_burst_only() {
    let mut bench = Bench::new();
    bench.push(2_000, 5);
    bench.take_sent();
    bench.now += Duration::from_millis(25);
    bench.act(|pump, now, out| pump.on_deadline(now, out));
    assert_eq!(bench.take_sent().len(), 2, "one packet, due at 20");
    bench.now += Duration::from_millis(500);
    let next = bench.act(|pump, now, out| pump.on_deadline(now, out));
    assert_eq!(bench.take_sent().len(), MAX_BURST as usize * PACKET_FRAMES);
    assert_eq!(next, Some(bench.now + PACKET));
}

#[test]
fn silence_after_a_flush_is_as_short_as_after_a_speech() {
    let mut bench = Bench::new();
    bench.push(1_000, 5);
    bench.run_to(30);
    bench.flush();
    bench.run_to(10_000);
    let last = bench.take_sent().last().map(|(at, _)| *at);
    assert!(
        last.is_some_and(|at| at <= 30 + u64::from(TAIL_FRAMES) * 10 + 20),
        "{last:?}"
    );
}
