//! Core: how a room that was lost for good is joined again, and when that is over.
//!
//! Owns the order of questions, attempts and pauses for one loss. It asks whether the room lives
//! before it knocks, so that a room that is gone is never made anew. It calls nobody and knows no
//! clock; chance comes in with each pause. Driven by `room::door`.

use std::time::{Duration, Instant};

/// What the driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask the server about the room.
    Ask,
    /// Join with this token.
    Join(Token),
    /// Wait that long, then go on.
    Wait(Duration),
    /// It is over.
    GiveUp(GiveUp),
}

/// Which token opens the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The last one the server gave us.
    Held,
    /// A new one, signed with our own key.
    Fresh,
}

/// What came of the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The room lives, and we are wanted in it.
    Alive,
    /// There is no such room.
    NoRoom,
    /// Our job was called off while we were away.
    Dismissed,
    /// The server cannot be asked.
    Unreachable,
    /// A join failed; the next one may not.
    Failed,
    /// The token was refused.
    Refused,
    /// A pause is over.
    Waited,
}

/// Why a room is not joined again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiveUp {
    /// Our job was called off.
    Dismissed,
    /// The room is gone.
    RoomGone,
    /// The server refuses even a fresh token.
    TokenRefused,
    /// Neither came of it in [`PATIENCE`].
    TooLong,
}

impl GiveUp {
    /// In a word, for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dismissed => "dismissed",
            Self::RoomGone => "room_gone",
            Self::TokenRefused => "token_refused",
            Self::TooLong => "too_long",
        }
    }
}

/// How long we try in all. People who wait longer for a voice have hung up.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// A room must be missing for so long: a server that came back without memory has its rooms again
/// as soon as the first of the people is back.
const MISSING: Duration = Duration::from_secs(6);
/// The first pause at most; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// One loss and what is done about it.
#[derive(Debug)]
pub struct Rejoin {
    began: Instant,
    pauses: u32,
    /// Joins tried.
    attempts: u32,
    token: Token,
    missing_since: Option<Instant>,
}

impl Rejoin {
    /// The room was lost now.
    pub fn new(now: Instant) -> Self {
        Self {
            began: now,
            pauses: 0,
            attempts: 0,
            token: Token::Held,
            missing_since: None,
        }
    }

    /// Joins tried so far.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What to do after that. `chance`, 0 to 1, spreads the pauses of many sessions.
    pub fn after(&mut self, now: Instant, fact: Fact, chance: f64) -> Step {
        if !matches!(fact, Fact::NoRoom) {
            self.missing_since = self.missing_since.filter(|_| fact == Fact::Waited);
        }
        match fact {
            Fact::Dismissed => Step::GiveUp(GiveUp::Dismissed),
            _ if now.saturating_duration_since(self.began) >= PATIENCE => {
                Step::GiveUp(GiveUp::TooLong)
            }
            Fact::Alive => {
                self.attempts += 1;
                Step::Join(self.token)
            }
            Fact::NoRoom => self.on_missing(now, chance),
            Fact::Refused if self.token == Token::Fresh => Step::GiveUp(GiveUp::TokenRefused),
            Fact::Refused => {
                self.token = Token::Fresh;
                Step::Ask
            }
            Fact::Failed | Fact::Unreachable => self.pause(chance),
            Fact::Waited => Step::Ask,
        }
    }

    fn on_missing(&mut self, now: Instant, chance: f64) -> Step {
        let since = *self.missing_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= MISSING {
            return Step::GiveUp(GiveUp::RoomGone);
        }
        self.pause(chance)
    }

    fn pause(&mut self, chance: f64) -> Step {
        let most = FIRST_PAUSE * 2u32.saturating_pow(self.pauses.min(8));
        self.pauses += 1;
        Step::Wait(most.min(LONGEST_PAUSE).mul_f64(chance.clamp(0.1, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a server that always says this; the last step, when it came, and the joins tried.
    fn against(answer: impl Fn(Step, Duration) -> Fact, chance: f64) -> (Step, Duration, u32) {
        let began = Instant::now();
        let mut now = began;
        let mut rejoin = Rejoin::new(now);
        let mut step = Step::Ask;
        for _ in 0..1_000 {
            let fact = match step {
                Step::GiveUp(_) => break,
                Step::Wait(pause) => {
                    now += pause;
                    Fact::Waited
                }
                other => {
                    now += Duration::from_millis(20);
                    answer(other, now - began)
                }
            };
            step = rejoin.after(now, fact, chance);
        }
        (step, now - began, rejoin.attempts())
    }

    #[test]
    fn a_room_that_lives_is_joined_at_once_with_the_token_at_hand() {
        let now = Instant::now();
        let mut rejoin = Rejoin::new(now);
        assert_eq!(rejoin.after(now, Fact::Alive, 1.0), Step::Join(Token::Held));
    }

    #[test]
    fn a_room_that_is_gone_is_given_up_soon_but_not_at_the_first_look() {
        let (step, after, attempts) = against(|_, _| Fact::NoRoom, 1.0);
        assert_eq!(step, Step::GiveUp(GiveUp::RoomGone));
        assert!((MISSING..MISSING * 2).contains(&after), "{after:?}");
        assert_eq!(attempts, 0, "it is never made anew");
    }

    #[test]
    fn a_room_that_comes_back_with_its_people_is_joined() {
        let comes_back = |step, after| match step {
            Step::Ask if after < Duration::from_secs(3) => Fact::NoRoom,
            Step::Ask => Fact::Alive,
            _ => Fact::Refused,
        };
        let (step, _, attempts) = against(comes_back, 1.0);
        assert_eq!((step, attempts), (Step::GiveUp(GiveUp::TokenRefused), 2));
    }

    #[test]
    fn a_token_that_is_too_old_is_replaced_once() {
        let now = Instant::now();
        let mut rejoin = Rejoin::new(now);
        rejoin.after(now, Fact::Alive, 1.0);
        assert_eq!(rejoin.after(now, Fact::Refused, 1.0), Step::Ask);
        let step = rejoin.after(now, Fact::Alive, 1.0);
        assert_eq!(step, Step::Join(Token::Fresh));
        let step = rejoin.after(now, Fact::Refused, 1.0);
        assert_eq!(step, Step::GiveUp(GiveUp::TokenRefused));
    }

    #[test]
    fn who_was_dismissed_while_away_stays_away() {
        let now = Instant::now();
        let step = Rejoin::new(now).after(now, Fact::Dismissed, 1.0);
        assert_eq!(step, Step::GiveUp(GiveUp::Dismissed));
    }

    #[test]
    fn whatever_fails_it_ends_within_its_patience_and_with_few_attempts() {
        for chance in [0.0, 0.5, 1.0] {
            for fact in [Fact::Unreachable, Fact::Failed] {
                let answer = |step, _| match step {
                    Step::Ask if fact == Fact::Failed => Fact::Alive,
                    _ => fact,
                };
                let (step, after, attempts) = against(answer, chance);
                assert_eq!(step, Step::GiveUp(GiveUp::TooLong));
                assert!(after < PATIENCE + LONGEST_PAUSE, "{after:?}");
                assert!(attempts < 200, "{attempts}");
            }
        }
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let now = Instant::now();
        let mut rejoin = Rejoin::new(now);
        let pauses: Vec<_> = (0..8)
            .map(|_| rejoin.after(now, Fact::Failed, 1.0))
            .collect();
        assert_eq!(pauses[0], Step::Wait(FIRST_PAUSE));
        assert_eq!(pauses[1], Step::Wait(2 * FIRST_PAUSE));
        assert_eq!(pauses[7], Step::Wait(LONGEST_PAUSE));
    }
}
