use super::*;
use crate::media::test_voice::chatter;

const PIECE: usize = 480;
const SECOND: usize = 24_000;

/// An ear beside an agent that speaks without end.
struct Stage {
    guard: Guard,
    played: Played,
    zero: Instant,
    at: usize,
    told: Vec<(u64, SpeechEdge)>,
    passed: Vec<i16>,
}

impl Stage {
    #[allow(
        clippy::disallowed_methods,
        reason = "any instant will do as the zero of a test"
    )]
    fn new() -> Self {
        let zero = Instant::now();
        let played = Played::new(zero);
        Self {
            guard: Guard::new(&played),
            played,
            zero,
            at: 0,
            told: Vec::new(),
            passed: Vec::new(),
        }
    }

    fn now(&self) -> Instant {
        self.zero + Duration::from_millis(self.millis())
    }

    fn millis(&self) -> u64 {
        self.at as u64 / 24
    }

    fn edge(&mut self, edge: SpeechEdge) {
        let now = self.now();
        self.guard.on_edge(now, edge, &self.played);
    }

    fn begins(&mut self) {
        let before = Duration::from_millis(60);
        self.edge(SpeechEdge::Started { before });
    }

    fn ends(&mut self) {
        let before = Duration::from_millis(190);
        self.edge(SpeechEdge::Stopped { before });
    }

    /// Plays and hears until this second of both.
    fn until(&mut self, seconds: f64, agent: &[i16], heard: &[i16]) {
        while self.at < (seconds * SECOND as f64) as usize {
            let piece = self.at..self.at + PIECE;
            let now = self.now();
            self.played.send(now, &agent[piece.clone()]);
            let pcm = Pcm::from(heard[piece].to_vec());
            let passed = self.guard.hear(now, pcm, &self.played);
            self.passed.extend_from_slice(passed.as_slice());
            while let Some(edge) = self.guard.poll_edge() {
                self.told.push((self.millis(), edge));
            }
            self.at += PIECE;
        }
    }

    /// An ear that has recognised the agent, at three seconds.
    fn that_knows(agent: &[i16], heard: &[i16]) -> Self {
        let mut stage = Self::new();
        stage.until(0.3, agent, heard);
        stage.begins();
        stage.until(2.5, agent, heard);
        stage.ends();
        stage.until(3.0, agent, heard);
        assert!(matches!(
            stage.told[..],
            [(_, SpeechEdge::Started { .. }), (_, SpeechEdge::Echoed)]
        ));
        stage.told.clear();
        stage
    }
}

/// What comes back: later, weaker, and through a room.
fn echo_of(agent: &[i16]) -> Vec<i16> {
    echo_later(agent, SECOND / 5)
}

fn echo_later(agent: &[i16], way: usize) -> Vec<i16> {
    let at = |n: usize| n.checked_sub(way).map_or(0.0, |n| f64::from(agent[n]));
    let room = |n: usize| at(n) + 0.4 * at(n.saturating_sub(290)) - 0.3 * at(n.saturating_sub(700));
    (0..agent.len()).map(|n| (room(n) * 0.2) as i16).collect()
}

fn both(a: &[i16], b: &[i16]) -> Vec<i16> {
    a.iter().zip(b).map(|(a, b)| a.saturating_add(*b)).collect()
}

#[test]
fn an_agent_is_recognised_in_its_echo() {
    for seed in 0..20 {
        let agent = chatter(seed, 4 * SECOND);
        let heard = echo_of(&agent);
        let mut stage = Stage::new();
        stage.until(0.3, &agent, &heard);
        stage.begins();
        stage.until(1.2, &agent, &heard);
        let [(_, SpeechEdge::Started { .. }), (at, SpeechEdge::Echoed)] = stage.told[..] else {
            panic!("seed {seed}: {:?}", stage.told);
        };
        assert!(at <= 1_000, "seed {seed}: after {at} ms");
        let rest = &stage.passed[at as usize * 24 + PIECE..];
        assert!(
            rest.iter().all(|sample| *sample == 0),
            "seed {seed}: it goes on"
        );
    }
}

#[test]
fn a_person_beside_the_agent_is_no_echo_and_passes_whole() {
    for seed in 0..40 {
        let agent = chatter(seed, 4 * SECOND);
        let person = chatter(1_000 + seed, 4 * SECOND);
        let mut stage = Stage::new();
        stage.until(0.3, &agent, &person);
        stage.begins();
        stage.until(3.0, &agent, &person);
        stage.ends();
        stage.until(3.5, &agent, &person);
        let told: Vec<_> = stage.told.iter().map(|(_, edge)| *edge).collect();
        assert!(
            matches!(
                told[..],
                [SpeechEdge::Started { .. }, SpeechEdge::Stopped { .. }]
            ),
            "seed {seed}: {told:?}"
        );
        assert!(stage.passed == person[..stage.passed.len()], "seed {seed}");
    }
}

#[test]
fn a_known_ear_does_not_interrupt_the_agent_again() {
    let agent = chatter(7, 8 * SECOND);
    let heard = echo_of(&agent);
    let mut stage = Stage::that_knows(&agent, &heard);
    for second in 3..7 {
        stage.begins();
        stage.until(f64::from(second) + 0.8, &agent, &heard);
        stage.ends();
        stage.until(f64::from(second) + 1.0, &agent, &heard);
    }
    assert_eq!(stage.told, [], "nobody spoke");
    let since = &stage.passed[3 * SECOND..];
    assert!(since.iter().all(|sample| *sample == 0), "nothing goes on");
}

#[test]
fn a_known_ear_does_not_interrupt_an_agent_that_paused_or_whose_echo_takes_another_way() {
    // 350 ms of nothing, during which the line of what is sent stands still.
    let agent = chatter(7, 12 * SECOND);
    let mut stage = Stage::that_knows(&agent, &echo_of(&agent));
    stage.zero += Duration::from_millis(350);
    let later = echo_later(&agent, SECOND * 3 / 10);
    for second in 3..9 {
        stage.begins();
        stage.until(f64::from(second) + 0.8, &agent, &later);
        stage.ends();
        stage.until(f64::from(second) + 1.0, &agent, &later);
    }
    let starts = stage
        .told
        .iter()
        .filter(|(_, edge)| matches!(edge, SpeechEdge::Started { .. }));
    assert!(starts.count() <= 1, "{:?}", stage.told);
}

#[test]
fn a_person_who_speaks_into_the_echo_is_told_and_heard_from_the_first_word() {
    let mut prompt = 0;
    for seed in 0..20 {
        let agent = chatter(seed, 6 * SECOND);
        let mut person = vec![0; 3 * SECOND + SECOND / 2];
        person.extend(chatter(2_000 + seed, 3 * SECOND));
        let heard = both(&echo_of(&agent), &person);
        let mut stage = Stage::that_knows(&agent, &heard);
        stage.until(3.56, &agent, &heard);
        stage.begins();
        stage.until(5.0, &agent, &heard);
        let [(at, SpeechEdge::Started { .. })] = stage.told[..] else {
            panic!("seed {seed}: {:?}", stage.told);
        };
        assert!(at <= 4_500, "seed {seed}: after {at} ms");
        if at > 3_850 {
            // Both spoke alike, or the person paused.
            continue;
        }
        prompt += 1;
        let said = &heard[3 * SECOND + SECOND / 2..4 * SECOND];
        let is_there = stage.passed.windows(said.len()).any(|part| part == said);
        assert!(is_there, "seed {seed}: the first word is lost");
    }
    assert!(
        prompt >= 13,
        "of 20 {prompt} are told within a third of a second"
    );
}

#[test]
fn an_ear_is_clean_again_after_a_minute_without_echo() {
    let agent = chatter(3, 4 * SECOND);
    let heard = echo_of(&agent);
    let mut stage = Stage::that_knows(&agent, &heard);
    stage.zero += FORGOTTEN;
    stage.until(3.02, &agent, &heard);
    stage.begins();
    stage.until(3.04, &agent, &heard);
    assert!(matches!(stage.told[..], [(_, SpeechEdge::Started { .. })]));
}
