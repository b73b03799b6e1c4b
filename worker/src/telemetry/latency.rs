//! Core: where the time of an answer goes.
//!
//! Reads the facts that the conversation is told, and marks for each turn when people stopped, when the
//! turn was committed, when a response was created, when its first sound came and when that was sent.
//! The parts are cut from one line, so they add up to the whole. It decides nothing.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use dialog::{
    Input,
    input::{Playout, SpeechEdge},
    model::{CallId, Event, ResponseId},
};
use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::words::Stage;

/// Speech that ended so long before a turn does not belong to it: an ear heard what the model did not.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// A response that is created so long after a turn does not answer it.
const UNANSWERED: Duration = Duration::from_secs(10);
/// Responses of one turn that are remembered: retries and answers to tools.
const RESPONSES: usize = 8;

/// The parts of one answer's latency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stages {
    /// Last sound of people → their turn is committed.
    pub endpointing: Duration,
    /// Committed → a response is created.
    pub request: Duration,
    /// Created → its first sound is read, without [`Self::tools`].
    pub model: Duration,
    /// Some of the time until the first sound in which tools ran.
    pub tools: Duration,
    /// First sound read → sent.
    pub voice: Duration,
}

impl Stages {
    /// Every part with its word, in order.
    pub fn parts(&self) -> [(Stage, Duration); 5] {
        [
            (Stage::Endpointing, self.endpointing),
            (Stage::Request, self.request),
            (Stage::Model, self.model),
            (Stage::Tools, self.tools),
            (Stage::Voice, self.voice),
        ]
    }

    /// Last sound of people → first sound of the agent.
    pub fn total(&self) -> Duration {
        self.parts().into_iter().map(|(_, took)| took).sum()
    }
}

/// As front ends read it: milliseconds by stage.
impl Serialize for Stages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Stages", 6)?;
        for (stage, took) in self.parts() {
            object.serialize_field(stage.as_str(), &millis(took))?;
        }
        object.serialize_field(Stage::Total.as_str(), &millis(self.total()))?;
        object.end()
    }
}

/// To a tenth.
fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 10_000.0).round() / 10.0
}

/// The marks of the turn that waits for its answer.
#[derive(Debug, Default)]
pub struct TurnClock {
    /// The last sound of people, by the ears; `None` = somebody speaks.
    quiet: Option<Instant>,
    /// When the model noticed the end of speech, or a key was let go.
    noticed: Option<Instant>,
    tools: Tools,
    turn: Option<Turn>,
}

#[derive(Debug)]
struct Turn {
    committed: Instant,
    /// `None` = the ears have not said yet.
    stopped: Option<Instant>,
    /// Stands for `stopped` where no ear heard the turn.
    noticed: Option<Instant>,
    created: Option<Instant>,
    responses: Vec<ResponseId>,
    sounded: Option<Instant>,
    tools: Duration,
}

/// Which tools run, and since when any does.
#[derive(Debug, Default)]
struct Tools {
    running: BTreeSet<CallId>,
    since: Option<Instant>,
}

impl TurnClock {
    /// Takes in one fact; `Some` = it was the first sound of an answer.
    pub fn see(&mut self, now: Instant, input: &Input) -> Option<Stages> {
        match input {
            Input::Speech { edge, .. } => self.heard(now, *edge),
            Input::Press { is_down: false, .. } | Input::Model(Event::SpeechStopped { .. }) => {
                self.noticed = Some(now)
            }
            Input::Model(Event::Committed { .. }) => self.commit(now),
            Input::Model(Event::ResponseCreated { response, .. }) => {
                // Nobody has answered that turn: it was none, or not meant for the agent.
                self.turn
                    .take_if(|turn| turn.created.is_none() && now - turn.committed > UNANSWERED);
                if let Some(turn) = &mut self.turn
                    && turn.responses.len() < RESPONSES
                {
                    turn.created.get_or_insert(now);
                    turn.responses.push(response.clone());
                }
            }
            Input::Model(Event::AudioReceived { response, .. }) => self.sounded(now, response),
            Input::Playout(Playout::Started { response, .. }) => {
                self.sounded(now, response);
                return self.sent(now, response);
            }
            Input::ToolFinished { call, .. } => self.tool_ended(now, call),
            _ => {}
        }
        None
    }

    /// A tool begins to run.
    pub fn tool_started(&mut self, now: Instant, call: CallId) {
        self.tools.since.get_or_insert(now);
        self.tools.running.insert(call);
    }

    /// A tool answered, or was called off.
    pub fn tool_ended(&mut self, now: Instant, call: &CallId) {
        if self.tools.running.remove(call) && self.tools.running.is_empty() {
            self.count_tools(now);
        }
    }

    fn heard(&mut self, now: Instant, edge: SpeechEdge) {
        let before = match edge {
            SpeechEdge::Stopped { before } => before,
            SpeechEdge::Echoed => return,
            SpeechEdge::Started { .. } => {
                self.quiet = None;
                return;
            }
        };
        let last = now.checked_sub(before).unwrap_or(now);
        self.quiet = Some(last);
        // The model may have ended the turn before our own ears were sure.
        if let Some(turn) = &mut self.turn
            && last <= turn.committed
        {
            turn.stopped.get_or_insert(last);
        }
    }

    fn commit(&mut self, now: Instant) {
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < FORGOTTEN;
        if self.tools.since.is_some() {
            self.tools.since = Some(now);
        }
        self.turn = Some(Turn {
            committed: now,
            stopped: self.quiet.take().filter(is_recent),
            noticed: self.noticed.take().filter(is_recent),
            created: None,
            responses: Vec::new(),
            sounded: None,
            tools: Duration::ZERO,
        });
    }

    fn sounded(&mut self, now: Instant, response: &ResponseId) {
        let turn = self.turn.as_mut();
        let Some(turn) = turn.filter(|turn| turn.responses.contains(response)) else {
            return;
        };
        if turn.sounded.is_none() {
            turn.sounded = Some(now);
            if !self.tools.running.is_empty() {
                self.count_tools(now);
            }
        }
    }

    fn count_tools(&mut self, now: Instant) {
        let since = self.tools.since.take();
        if let (Some(turn), Some(since)) = (&mut self.turn, since) {
            let until = turn.sounded.unwrap_or(now);
            turn.tools += until.saturating_duration_since(since);
        }
    }

    fn sent(&mut self, now: Instant, response: &ResponseId) -> Option<Stages> {
        let turn = self
            .turn
            .take_if(|turn| turn.responses.contains(response))?;
        let created = turn.created?;
        let sounded = turn.sounded?;
        let stopped = turn.stopped.or(turn.noticed).unwrap_or(turn.committed);
        let generated = sounded - created;
        let tools = turn.tools.min(generated);
        Some(Stages {
            endpointing: turn.committed.saturating_duration_since(stopped),
            request: created - turn.committed,
            model: generated - tools,
            tools,
            voice: now - sounded,
        })
    }
}

#[cfg(test)]
mod tests {
    use dialog::{input::AfterTool, model::ItemId, speaker::ParticipantId};

    use super::*;

    /// A line of time in milliseconds.
    struct Line {
        clock: TurnClock,
        zero: Instant,
    }

    impl Line {
        #[allow(
            clippy::disallowed_methods,
            reason = "any instant will do as the zero of a test"
        )]
        fn new() -> Self {
            Self {
                clock: TurnClock::default(),
                zero: Instant::now(),
            }
        }

        fn at(&self, millis: u64) -> Instant {
            self.zero + Duration::from_millis(millis)
        }

        fn see(&mut self, millis: u64, input: Input) -> Option<Stages> {
            let now = self.at(millis);
            self.clock.see(now, &input)
        }

        fn edge(&mut self, millis: u64, edge: SpeechEdge) {
            let participant = ParticipantId::new("ann");
            self.see(millis, Input::Speech { participant, edge });
        }

        fn speaks(&mut self, from: u64) {
            let before = Duration::from_millis(60);
            self.edge(from + 60, SpeechEdge::Started { before });
        }

        fn falls_silent(&mut self, last: u64, sure: u64) {
            let before = Duration::from_millis(sure - last);
            self.edge(sure, SpeechEdge::Stopped { before });
        }

        fn speech(&mut self, from: u64, to: u64, sure: u64) {
            self.speaks(from);
            self.falls_silent(to, sure);
        }

        fn commit(&mut self, millis: u64) {
            let item = ItemId::new("item_1");
            self.see(millis, Input::Model(Event::Committed { item }));
        }

        fn create(&mut self, millis: u64, response: &str) {
            let response = ResponseId::new(response);
            self.see(
                millis,
                Input::Model(Event::ResponseCreated {
                    response,
                    tag: None,
                }),
            );
        }

        fn sounds(&mut self, millis: u64, response: &str) {
            self.see(
                millis,
                Input::Model(Event::AudioReceived {
                    response: ResponseId::new(response),
                    item: ItemId::new("item_2"),
                    duration: Duration::from_millis(200),
                }),
            );
        }

        fn starts(&mut self, millis: u64, response: &str) -> Option<Stages> {
            self.see(
                millis,
                Input::Playout(Playout::Started {
                    response: ResponseId::new(response),
                    item: ItemId::new("item_2"),
                }),
            )
        }

        fn tool_answers(&mut self, millis: u64, call: &str) {
            let (call, output) = (CallId::new(call), String::new());
            self.see(
                millis,
                Input::ToolFinished {
                    call,
                    output,
                    then: AfterTool::Continue,
                },
            );
        }
    }

    fn stages(
        endpointing: u64,
        request: u64,
        model: u64,
        tools: u64,
        voice: u64,
    ) -> Option<Stages> {
        let [endpointing, request, model, tools, voice] =
            [endpointing, request, model, tools, voice].map(Duration::from_millis);
        Some(Stages {
            endpointing,
            request,
            model,
            tools,
            voice,
        })
    }

    #[test]
    fn the_parts_of_an_answer_add_up_to_what_the_caller_waits() {
        let mut line = Line::new();
        line.speech(0, 1_000, 1_250);
        line.commit(1_310);
        line.create(1_320, "r1");
        line.sounds(1_800, "r1");
        let measured = line.starts(1_803, "r1");
        assert_eq!(measured, stages(310, 10, 480, 0, 3));
        assert_eq!(measured.unwrap().total(), Duration::from_millis(803));
        assert_eq!(line.starts(1_900, "r1"), None, "an answer begins once");
    }

    #[test]
    fn the_model_may_be_sure_before_our_ears_are() {
        let mut line = Line::new();
        line.speech(0, 400, 600);
        line.speaks(700);
        line.commit(1_200);
        line.falls_silent(1_000, 1_250);
        line.create(1_300, "r1");
        line.sounds(1_500, "r1");
        assert_eq!(line.starts(1_500, "r1"), stages(200, 100, 200, 0, 0));
    }

    #[test]
    fn speech_of_long_ago_is_not_the_end_of_this_turn() {
        let mut line = Line::new();
        line.speech(0, 500, 700);
        let item = ItemId::new("item_1");
        line.see(19_900, Input::Model(Event::SpeechStopped { item }));
        line.commit(20_000);
        line.create(20_000, "r1");
        assert_eq!(line.starts(20_200, "r1"), stages(100, 0, 200, 0, 0));
    }

    #[test]
    fn tools_that_run_side_by_side_are_counted_once() {
        let mut line = Line::new();
        line.speech(0, 1_000, 1_250);
        line.commit(1_300);
        line.create(1_300, "r1");
        for (at, call) in [(1_500, "c1"), (1_600, "c2"), (1_600, "c3")] {
            let now = line.at(at);
            line.clock.tool_started(now, CallId::new(call));
        }
        line.tool_answers(1_700, "c1");
        let now = line.at(1_750);
        line.clock.tool_ended(now, &CallId::new("c3"));
        line.tool_answers(1_900, "c2");
        line.create(1_950, "r2");
        line.sounds(2_400, "r2");
        assert_eq!(line.starts(2_402, "r2"), stages(300, 0, 700, 400, 2));
    }

    #[test]
    fn an_agent_that_speaks_while_a_tool_runs_has_answered() {
        let mut line = Line::new();
        line.speech(0, 1_000, 1_250);
        line.commit(1_300);
        line.create(1_300, "r1");
        let now = line.at(1_400);
        line.clock.tool_started(now, CallId::new("c1"));
        line.create(2_200, "r2");
        line.sounds(2_600, "r2");
        assert_eq!(line.starts(2_600, "r2"), stages(300, 0, 100, 1_200, 0));
    }

    #[test]
    fn what_was_said_before_the_turn_is_no_answer_to_it() {
        let mut line = Line::new();
        line.create(0, "greeting");
        line.speech(0, 1_000, 1_250);
        line.commit(1_300);
        line.sounds(1_310, "greeting");
        assert_eq!(line.starts(1_320, "greeting"), None);
        line.create(1_330, "r1");
        line.sounds(1_500, "r1");
        assert_eq!(line.starts(1_500, "r1"), stages(300, 30, 170, 0, 0));
    }

    #[test]
    fn front_ends_read_milliseconds() {
        let json = serde_json::to_string(&stages(310, 10, 480, 0, 3)).unwrap();
        assert_eq!(
            json,
            r#"{"endpointing":310.0,"request":10.0,"model":480.0,"tools":0.0,"voice":3.0,"total":803.0}"#
        );
    }
}
