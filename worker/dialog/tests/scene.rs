//! The script runner: people, a model and a loudspeaker in virtual time, around one real `Dialog`.
//!
//! A scene says what people do and what the model will answer; everything else follows by itself.
//! The snapshot shows four lanes: time, people, orders to and events of the model, the agent.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use dialog::{
    Config, Dialog, Input, Output,
    input::{AfterTool, ModelLink, Playout},
    model::{Capabilities, Event, McpEnd, NewItem, Order},
    output::{PlayoutOrder, RunBy, ToolCall},
};

mod cues;
mod lanes;
pub(crate) mod loudspeaker;
pub(crate) mod sim;

use loudspeaker::Loudspeaker;
use sim::{Reply, Sim};

/// Everything happens on this grid: one frame of audio.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// An ear knows this much later that speech ended.
const EDGE_LAG: Duration = Duration::from_millis(200);
/// How long a clip of the worker's own sounds.
const CLIP: Duration = Duration::from_millis(600);

/// One thing that is going to happen.
struct Cue {
    at: Duration,
    what: What,
}

enum What {
    Fact(Input),
    /// An order reaches the model.
    Order(Order),
    /// The model decides about a committed turn.
    TurnDue,
}

/// How long a tool takes, what it answers and what it wants.
struct Tool {
    name: &'static str,
    takes: f64,
    output: &'static str,
    then: AfterTool,
    is_denied: bool,
}

/// A script, and the world it plays in.
pub(crate) struct Scene {
    dialog: Dialog,
    start: Instant,
    now: Duration,
    cues: VecDeque<Cue>,
    sim: Sim,
    loudspeaker: Loudspeaker,
    tools: Vec<Tool>,
    turns: usize,
    said: String,
    shows_text: bool,
    lanes: String,
    /// Bytes of text that fresh connections were told.
    told: Vec<usize>,
}

/// A scene in which room, model and the caller Ann are there from the start, without a greeting.
/// The lanes begin after that.
pub(crate) fn scene() -> Scene {
    let mut scene = empty_scene(Config::default())
        .joins(0.0, "ann")
        .room_ready(0.0)
        .link_up(0.0);
    scene.play_cues();
    scene.lanes.clear();
    scene
}

/// The lanes from this time on.
pub(crate) fn since(lanes: &str, time: f64) -> String {
    let late = |line: &&str| line[..5].trim().parse::<f64>().is_ok_and(|at| at >= time);
    let lines: Vec<&str> = lanes.lines().filter(late).collect();
    lines.join("\n")
}

/// A scene in which nobody is there yet.
#[expect(
    clippy::disallowed_methods,
    reason = "any instant will do as the zero of a scene"
)]
pub(crate) fn empty_scene(config: Config) -> Scene {
    Scene {
        dialog: Dialog::new(config),
        start: Instant::now(),
        now: Duration::ZERO,
        cues: VecDeque::new(),
        sim: Sim::default(),
        loudspeaker: Loudspeaker::default(),
        tools: Vec::new(),
        turns: 0,
        said: String::new(),
        shows_text: false,
        lanes: String::new(),
        told: Vec::new(),
    }
}

/// What the model and the tools will do when it is their turn.
impl Scene {
    pub(crate) fn model_will_say(mut self, text: &str, seconds: f64) -> Self {
        self.sim
            .replies
            .push_back(Reply::Say(vec![(text.to_owned(), seconds)]));
        self
    }

    /// One response with several items.
    pub(crate) fn model_will_say_items(mut self, items: &[(&str, f64)]) -> Self {
        let items = items
            .iter()
            .map(|(text, seconds)| ((*text).to_owned(), *seconds));
        self.sim.replies.push_back(Reply::Say(items.collect()));
        self
    }

    /// One response that says something (or nothing) and makes calls with these arguments.
    pub(crate) fn model_will_call(mut self, says: &str, calls: &[(&str, &str)]) -> Self {
        let calls = calls
            .iter()
            .map(|(name, args)| ((*name).to_owned(), (*args).to_owned()));
        self.sim
            .replies
            .push_back(Reply::Call(says.to_owned(), calls.collect()));
        self
    }

    pub(crate) fn model_will_fail(mut self, code: &str) -> Self {
        self.sim.replies.push_back(Reply::Fail(code.to_owned()));
        self
    }

    /// What the model writes the next time it is asked beside the conversation, after so many seconds.
    pub(crate) fn model_will_think(mut self, opinion: &str, after: f64) -> Self {
        let after = Duration::from_secs_f64(after);
        self.sim.opinions.push_back((opinion.to_owned(), after));
        self
    }

    /// What people say while they press does not reach the model.
    pub(crate) fn nothing_to_commit(mut self) -> Self {
        self.sim.is_deaf = true;
        self
    }

    /// The next turn or create is lost without a word.
    pub(crate) fn model_will_ignore(mut self) -> Self {
        self.sim.replies.push_back(Reply::Ignore);
        self
    }

    pub(crate) fn tool(self, name: &'static str, takes: f64, output: &'static str) -> Self {
        self.tool_then(name, takes, output, AfterTool::Continue)
    }

    pub(crate) fn tool_then(
        mut self,
        name: &'static str,
        takes: f64,
        output: &'static str,
        then: AfterTool,
    ) -> Self {
        self.tools.push(Tool {
            name,
            takes,
            output,
            then,
            is_denied: false,
        });
        self
    }

    /// A tool that the worker does not let the provider run, for this reason.
    pub(crate) fn denied(mut self, name: &'static str, takes: f64, output: &'static str) -> Self {
        self = self.tool(name, takes, output);
        self.tools.iter_mut().for_each(|tool| {
            tool.is_denied |= tool.name == name;
        });
        self
    }

    /// The loudspeaker carries out flushes and reports nothing.
    pub(crate) fn loudspeaker_is_silent(mut self) -> Self {
        self.loudspeaker.reports = false;
        self
    }

    /// The agent's lane shows each piece of text when it is published, not only the whole.
    pub(crate) fn showing_text(mut self) -> Self {
        self.shows_text = true;
        self
    }
}

/// The run.
impl Scene {
    /// Plays until this time and returns the lanes.
    pub(crate) fn until(mut self, end: f64) -> String {
        self.play_to(end);
        self.lanes
    }

    /// Plays until this time.
    pub(crate) fn play_to(&mut self, end: f64) {
        let end = Duration::from_secs_f64(end);
        while self.now <= end {
            self.play_cues();
            self.play_audio();
            self.play_timers();
            self.now += TICK;
        }
    }

    /// Everything the dialog holds, in bytes of its debug text: what grows shows.
    pub(crate) fn holds(&self) -> usize {
        format!("{:?}", self.dialog).len()
    }

    /// Bytes of text that each fresh connection was told.
    pub(crate) fn told_at_rotations(&self) -> &[usize] {
        &self.told
    }

    fn schedule(&mut self, at: Duration, what: What) {
        let index = self.cues.partition_point(|cue| cue.at <= at);
        self.cues.insert(index, Cue { at, what });
    }

    fn play_cues(&mut self) {
        while self.cues.front().is_some_and(|cue| cue.at <= self.now) {
            let Some(cue) = self.cues.pop_front() else {
                return;
            };
            match cue.what {
                What::Fact(input) => self.tell(input),
                What::Order(order) => self.model_hears(&order),
                What::TurnDue => {
                    let events = self.sim.turn_due();
                    self.model_sends(events);
                }
            }
        }
    }

    fn play_audio(&mut self) {
        for fact in self.loudspeaker.tick() {
            self.tell(Input::Playout(fact));
        }
    }

    fn play_timers(&mut self) {
        let now = self.start + self.now;
        if self.dialog.poll_timeout().is_some_and(|due| due <= now) {
            self.dialog.handle_timeout(now);
            let next = self.dialog.poll_timeout();
            assert!(
                next.is_none_or(|due| due > now),
                "a timer that ran out was set to the past"
            );
            self.drain();
        }
    }

    fn tell(&mut self, input: Input) {
        self.show_fact(&input);
        match &input {
            Input::Model(Event::AudioReceived {
                response,
                item,
                duration,
            }) => {
                self.loudspeaker.push(response, item, *duration);
            }
            Input::Model(Event::AudioDone { item, .. }) => self.loudspeaker.finish(item),
            Input::Model(Event::ResponseDone { response, .. }) => self.sim.done(response),
            Input::ModelLink(ModelLink::Up(capabilities)) => {
                let is_first = self.sim.connections == 0;
                self.sim.connections += 1;
                self.sim.creates_responses = is_first && capabilities.creates_responses;
            }
            Input::ModelLink(ModelLink::Down) => self.lose_model(),
            _ => {}
        }
        self.dialog.handle(self.start + self.now, input);
        self.drain();
    }

    /// Orders on their way and events not yet sent are lost with the connection.
    fn lose_model(&mut self) {
        self.sim.disconnect();
        let lost = |cue: &Cue| match &cue.what {
            What::Fact(Input::Model(event)) => Sim::is_on_its_way(event),
            What::Order(_) => true,
            _ => false,
        };
        self.cues.retain(|cue| !lost(cue));
        self.loudspeaker.finish_all();
    }

    fn drain(&mut self) {
        while let Some(output) = self.dialog.poll_output() {
            self.show_output(&output);
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Model(order) => {
                self.weigh(&order);
                self.schedule(self.now + 3 * TICK, What::Order(order));
            }
            Output::Playout(PlayoutOrder::PlayClip(_)) => {
                let over = Input::Playout(Playout::ClipOver);
                self.schedule(self.now + CLIP, What::Fact(over));
            }
            Output::Playout(PlayoutOrder::StopClip) => {
                let over = Input::Playout(Playout::ClipOver);
                self.cues.retain(|cue| match &cue.what {
                    What::Fact(fact) => *fact != over,
                    _ => true,
                });
                self.schedule(self.now + TICK, What::Fact(over));
            }
            Output::Playout(order) => {
                if let Some(fact) = self.loudspeaker.obey(order) {
                    self.schedule(self.now + TICK, What::Fact(Input::Playout(fact)));
                }
            }
            Output::McpCallDone { call, end } => {
                let (output, then) = (format!("{end:?}"), AfterTool::Continue);
                let finished = Input::ToolFinished { call, output, then };
                self.schedule(self.now + TICK, What::Fact(finished));
            }
            Output::RunTool(run) => self.run(run),
            _ => {}
        }
    }

    fn run(&mut self, run: ToolCall) {
        let call = run.call;
        let tool = self.tools.iter().find(|tool| tool.name == run.name);
        let tool = tool.expect("a scene knows the tools it calls");
        if run.run_by == RunBy::Provider && !tool.is_denied {
            let end = McpEnd::Answered(tool.output.to_owned());
            let of = call.clone();
            let done = Event::McpCallDone { call: of, end };
            self.sim.may_run.push((call.clone(), tool.takes, done));
            let approved = Input::ToolApproved { call };
            return self.schedule(self.now + TICK, What::Fact(approved));
        }
        let (output, then) = (tool.output.to_owned(), tool.then);
        let at = self.now + Duration::from_secs_f64(tool.takes);
        let finished = Input::ToolFinished { call, output, then };
        self.schedule(at, What::Fact(finished));
    }

    /// What a fresh connection is told, until it creates responses.
    fn weigh(&mut self, order: &Order) {
        match (order, self.told.last_mut()) {
            (Order::Rotate, _) => self.told.push(0),
            (Order::Item(item), Some(told)) => {
                *told += match item {
                    NewItem::AgentText(text)
                    | NewItem::SystemText(text)
                    | NewItem::UserText(text) => text.len(),
                    _ => 0,
                };
            }
            _ => {}
        }
    }

    fn model_hears(&mut self, order: &Order) {
        if *order == Order::Rotate {
            self.sim.disconnect();
            let rotated = ModelLink::Rotated(Capabilities::all());
            return self.schedule(self.now, What::Fact(Input::ModelLink(rotated)));
        }
        if let Order::Cancel {
            response: Some(response),
        } = order
        {
            let response = response.clone();
            self.cues.retain(|cue| match &cue.what {
                What::Fact(Input::Model(event)) => Sim::response_of(event) != Some(&response),
                _ => true,
            });
        }
        let events = self.sim.hear(order);
        self.model_sends(events);
    }

    fn model_sends(&mut self, events: Vec<(Duration, Event)>) {
        for (after, event) in events {
            self.schedule(self.now + after, What::Fact(Input::Model(event)));
        }
    }
}
