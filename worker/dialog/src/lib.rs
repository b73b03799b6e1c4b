//! Core: the conversation of one agent with the people in its room.
//!
//! Owns what was said, who may speak and what must happen next. It does not know clocks, sockets,
//! tasks, rooms or providers: facts come in as [`Input`], orders and observations go out as
//! [`Output`].
//!
//! The three laws:
//! 1. Time comes in as `now`; the core never asks for it.
//! 2. After every `handle*`, drain [`Dialog::poll_output`] to `None`, then sleep until
//!    [`Dialog::poll_timeout`].
//! 3. No output is a question. The core decides; the world reports facts later as inputs.
//!
//! # A conversation
//!
//! ```
//! use std::time::{Duration, Instant};
//! use dialog::{
//!     Config, Dialog, Input, Output,
//!     input::{Audience, Heard, ModelLink, Playout, SpeechEdge},
//!     model::{Capabilities, Event, ItemId, Order, ResponseId},
//!     output::{Gate, PlayoutOrder},
//!     speaker::{ParticipantId, Role},
//! };
//!
//! let mut dialog = Dialog::new(Config {
//!     greeting: Some("Greet the caller.".into()),
//!     ..Config::default()
//! });
//! let now = Instant::now();
//! let mut tell = |after: f64, input| {
//!     dialog.handle(now + Duration::from_secs_f64(after), input);
//!     std::iter::from_fn(|| dialog.poll_output()).collect::<Vec<_>>()
//! };
//!
//! // Somebody comes, the room and the model are ready: the agent greets.
//! let ann = ParticipantId::new("ann");
//! let name = "Ann".to_owned();
//! let said = tell(0.0, Input::Audience(Audience::Joined {
//!     participant: ann.clone(),
//!     role: Role::Caller,
//!     name,
//! }));
//! assert!(said.contains(&Output::Ear { participant: ann.clone(), gate: Gate::Open }));
//! tell(0.1, Input::RoomReady);
//! let said = tell(0.2, Input::ModelLink(ModelLink::Up(Capabilities::all())));
//! let tag = said.into_iter().find_map(|output| match output {
//!     Output::Model(Order::Create { tag, instructions: Some(_) }) => Some(tag),
//!     _ => None,
//! });
//!
//! // The greeting is generated, and after 1.2 s of it the person starts to speak.
//! let (response, item) = (ResponseId::new("resp_1"), ItemId::new("item_1"));
//! let heard = Heard {
//!     response: response.clone(),
//!     item: item.clone(),
//!     heard: Duration::from_millis(1200),
//! };
//! tell(0.4, Input::Model(Event::ResponseCreated { response: response.clone(), tag }));
//! tell(0.5, Input::Model(Event::AudioReceived {
//!     response: response.clone(),
//!     item: item.clone(),
//!     duration: Duration::from_secs(3),
//! }));
//! tell(0.5, Input::Playout(Playout::Started { response: response.clone(), item: item.clone() }));
//! let edge = SpeechEdge::Started { before: Duration::from_millis(60) };
//! let said = tell(1.7, Input::Speech { participant: ann, edge });
//! assert_eq!(said[0], Output::Playout(PlayoutOrder::Pause));
//!
//! // It is no cough: the model hears words. So the agent yields.
//! let (user, text) = (ItemId::new("item_2"), "Wait".to_owned());
//! tell(1.8, Input::Model(Event::SpeechStarted { item: user.clone() }));
//! let said = tell(2.3, Input::Model(Event::UserTranscript { item: user, text, is_final: false }));
//! assert_eq!(said[..2], [
//!     Output::Playout(PlayoutOrder::Flush { response: Some(response.clone()), keep: None }),
//!     Output::Model(Order::Cancel { response: Some(response) }),
//! ]);
//!
//! // The queue reports what was heard; the model's memory is cut to that.
//! let said = tell(2.3, Input::Playout(Playout::Flushed { cut: vec![heard] }));
//! let heard = Duration::from_millis(1200);
//! assert_eq!(said[0], Output::Model(Order::Truncate { item, heard }));
//! ```
#![warn(missing_docs)]

pub mod config;
pub mod input;
pub mod model;
pub mod note;
pub mod output;
pub mod speaker;

mod addressing;
mod agent_turn;
mod asks;
mod audience;
mod backchannel;
mod close;
mod conversation;
mod disclosure;
mod dismissed;
mod floor;
mod gap;
mod greeting;
mod interruption;
mod model_events;
mod model_link;
mod overlap;
mod people;
mod picture;
mod plain_words;
mod playhead;
mod press;
mod response;
mod rotation;
mod sentence;
mod silence;
mod silenced;
mod timers;
mod tool_calls;
mod tool_flow;
mod transcript;
mod user_turn;
mod voices;
mod working;

use std::{collections::VecDeque, time::Instant};

pub use config::Config;
pub use input::Input;
pub use output::Output;
pub use silence::Silence;

use addressing::Addressing;
use agent_turn::{AgentTurn, Facts};
use audience::Audience;
use backchannel::Backchannels;
use close::Closing;
use conversation::Conversation;
use disclosure::Disclosure;
use dismissed::Dismissed;
use floor::Floor;
use gap::Gap;
use greeting::Greeting;
use input::Playout;
use interruption::Yielding;
use model::{Order, ResponseId};
use model_link::Link;
use note::Note;
use output::{CloseReason, Publish, Voice};
use overlap::{Beside, Overlap};
use playhead::Playhead;
use press::Presses;
use response::Responses;
use rotation::Rotation;
use sentence::Sentence;
use silence::Patience;
use speaker::ParticipantId;
use timers::{Timer, TimerTable};
use tool_calls::ToolCalls;
use user_turn::UserTurn;
use voices::Voices;

/// The state of one conversation.
#[derive(Debug)]
pub struct Dialog {
    config: Config,
    addressing: Addressing,
    agent: AgentTurn,
    audience: Audience,
    backchannels: Backchannels,
    /// Speech that the model heard beside the agent's voice when that went on; `None` = none.
    beside: Option<Beside>,
    calls: ToolCalls,
    /// `None` = nobody wants to end the conversation.
    closing: Option<Closing>,
    conversation: Conversation,
    disclosure: Disclosure,
    dismissed: Dismissed,
    /// The item that the model made of the speech that goes on; `None` = there is none.
    heard_item: Option<model::ItemId>,
    /// When the agent last heard itself; `None` = never.
    echoed: Option<Instant>,
    floor: Floor,
    gap: Gap,
    /// The response that is the greeting; `None` = it has not come.
    greeted_by: Option<ResponseId>,
    greeting: Greeting,
    /// `Some` = these instructions replaced those of the connection's settings.
    instructions: Option<String>,
    is_finished: bool,
    /// It was ready, and its link broke.
    is_room_away: bool,
    is_room_ready: bool,
    /// It was told to be silent.
    /// The agent said that a tool takes its time.
    has_told_of_work: bool,
    is_silenced: bool,
    link: Link,
    /// Whose ears are open; bounded by the audience.
    ears: Vec<ParticipantId>,
    /// Flushes that were ordered and not yet reported.
    open_flushes: u32,
    outputs: VecDeque<Output>,
    /// Somebody speaks beside the agent, and what they want is not clear; `None` = nobody does.
    overlap: Option<Overlap>,
    patience: Patience,
    playhead: Playhead,
    presses: Presses,
    responses: Responses,
    rotation: Rotation,
    /// `None` = there is none, or it was heard.
    sentence: Option<Sentence>,
    timers: TimerTable,
    /// `Some` = these tools replaced those of the connection's settings.
    tools: Option<Vec<String>>,
    user: UserTurn,
    voices: Voices,
    /// The agent was told to stop and the queue has not reported yet; `None` = no flush is open.
    yielding: Option<Yielding>,
}

impl Dialog {
    /// A conversation that has not begun.
    pub fn new(config: Config) -> Self {
        let greeting = if config.greeting.is_some() {
            Greeting::Due
        } else {
            Greeting::Over
        };
        let disclosure = Disclosure::new(config.disclosure.as_ref());
        Self {
            addressing: Addressing::new(&config.answers),
            agent: AgentTurn::default(),
            audience: Audience::new(config.hears),
            backchannels: Backchannels::new(&config.interruption.backchannels),
            beside: None,
            config,
            calls: ToolCalls::default(),
            closing: None,
            conversation: Conversation::default(),
            disclosure,
            dismissed: Dismissed::default(),
            heard_item: None,
            echoed: None,
            floor: Floor::default(),
            gap: Gap::default(),
            greeted_by: None,
            greeting,
            instructions: None,
            is_finished: false,
            is_room_away: false,
            is_room_ready: false,
            has_told_of_work: false,
            is_silenced: false,
            link: Link::default(),
            ears: Vec::new(),
            open_flushes: 0,
            outputs: VecDeque::new(),
            overlap: None,
            patience: Patience::default(),
            playhead: Playhead::default(),
            presses: Presses::default(),
            responses: Responses::default(),
            rotation: Rotation::default(),
            sentence: None,
            timers: TimerTable::default(),
            tools: None,
            user: UserTurn::default(),
            voices: Voices::default(),
            yielding: None,
        }
    }

    /// Takes in one fact. Never fails: what has no meaning becomes a [`Note`].
    pub fn handle(&mut self, now: Instant, input: Input) {
        if self.is_finished {
            return;
        }
        match input {
            Input::Ask(ask) => self.on_ask(now, ask),
            Input::Audience(change) => self.on_audience(now, change),
            Input::Chat { participant, text } => self.on_chat(now, &participant, text),
            Input::Model(event) => self.on_model(now, event),
            Input::ModelLink(change) => self.on_model_link(now, change),
            Input::Picture {
                participant,
                picture,
            } => self.on_picture(&participant, picture),
            Input::Press {
                participant,
                is_down,
            } => {
                if is_down {
                    self.on_press(now, participant);
                } else {
                    self.on_release(now, &participant);
                }
            }
            Input::Playout(fact) => self.on_playout(now, fact),
            Input::RoomAway => self.is_room_away = true,
            Input::RoomBack => self.is_room_away = false,
            Input::RoomReady => self.on_room_ready(),
            Input::Speech { participant, edge } => self.on_speech(now, participant, edge),
            Input::ToolApproved { call } => self.on_tool_approved(&call),
            Input::ToolFinished { call, output, then } => {
                self.on_tool_finished(now, &call, output, then);
            }
        }
        self.settle(now);
    }

    /// Acts on every timer that has run out at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_expired(now) {
            match timer {
                Timer::Backoff => {}
                Timer::CallerGrace => self.finish(CloseReason::CallerLeft),
                Timer::Close => self.finish_closing(),
                Timer::Commit => self.on_commit_overdue(),
                Timer::Flush => self.on_flush_overdue(now),
                Timer::Gap => self.on_gap(now),
                Timer::Hearing => self.on_overheard(),
                Timer::LastWords => self.on_last_words_over(now),
                Timer::Name => self.on_name_overdue(now),
                Timer::Overlap => self.on_overlap_due(now),
                Timer::Press => self.on_endless_press(now),
                Timer::Release => self.on_tail_over(now),
                Timer::Response => self.on_response_overdue(now),
                Timer::Rotation => self.rotate(),
                Timer::Silence => self.on_long_silence(now),
                Timer::TurnGrace => self.on_turn_overdue(now),
                Timer::Verdict => self.on_verdict_overdue(now),
                Timer::Working => self.on_working(self.config.working_after),
            }
        }
        self.settle(now);
    }

    /// The next order or observation; drain to `None` after every `handle*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called next; `None` = only facts can change
    /// anything.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Whether the next word is the model's to say. While a tool runs, or somebody is asked whether it may,
    /// it is not.
    pub fn is_models_turn(&self) -> bool {
        self.responses.is_generating()
            || self.user.is_committed()
            || self.owes_hearing()
            || !self.floor.is_empty()
    }

    /// What follows from any change, whatever it was.
    fn settle(&mut self, now: Instant) {
        if self.is_finished {
            return;
        }
        self.show_what_was_heard();
        self.disclose();
        self.greet_when_ready(now);
        self.ask_next(now);
        self.finish_when_said(now);
        self.publish_state();
        self.mind_silence(now);
        self.mind_gap(now);
        self.say_last_words(now);
        self.control_turns();
        self.mind_rotation(now);
        self.mind_working(now);
    }

    fn on_playout(&mut self, now: Instant, fact: Playout) {
        match fact {
            Playout::Advanced(heard) => self.playhead.advance(&heard),
            Playout::ClipOver => self.on_clip_over(now),
            Playout::Drained => self.playhead.drain(),
            Playout::Flushed { cut } => self.on_flushed(now, &cut),
            Playout::Paused => {
                if let Some(overlap) = &mut self.overlap {
                    overlap.fell_silent(now);
                }
            }
            Playout::Starved => self.playhead.starve(),
            Playout::Started { item, .. } => {
                if self.playhead.start(&item) {
                    self.on_first_sound(now, &item);
                }
            }
        }
    }

    pub(crate) fn on_first_sound(&mut self, now: Instant, item: &model::ItemId) {
        if !self.playhead.is_stale(item) {
            // What outlived its connection has its place since that was lost.
            self.conversation.agent_started(item);
        }
        self.hear_sentence(item);
        self.addressing.settle();
        self.end_gap();
        let is_disclosure = self.disclosure.is_in(item, &self.playhead);
        if let Greeting::Wanted { since } = self.greeting
            && !is_disclosure
        {
            self.greeting = Greeting::Over;
            self.note(Note::Greeted {
                latency: now.saturating_duration_since(since),
            });
        }
        if let Some(latency) = self.user.heard(now) {
            self.note(Note::TurnAnswered { latency });
        }
    }

    fn show_what_was_heard(&mut self) {
        let mut shown = Vec::new();
        let (conversation, disclosure) = (&mut self.conversation, &mut self.disclosure);
        self.playhead.step(&mut shown, |response, item, text| {
            conversation.agent_said(item, text);
            disclosure.hear(response, text);
        });
        self.publish_all(shown);
    }

    /// From now on the agent can be heard; what it was going to say has been waiting.
    fn on_room_ready(&mut self) {
        if !std::mem::replace(&mut self.is_room_ready, true) {
            self.outputs.push_back(Output::Voice(Voice::Open));
        }
    }

    /// Asks for the next wanted response, once nothing else is in its way.
    fn ask_next(&mut self, now: Instant) {
        if self.is_silenced && self.floor.hush() {
            self.note(Note::TurnUnanswered);
        }
        let user_may_go_on = self.closing.is_none() && self.user.holds_floor();
        let is_blocked = !self.link.is_up()
            || self.responses.is_busy()
            || self.overlap.is_some()
            || self.yielding.is_some()
            || self.timers.is_set(Timer::Backoff)
            || user_may_go_on;
        if is_blocked {
            return;
        }
        let Some(request) = self.floor.next() else {
            return;
        };
        let instructions = request.instructions.clone();
        let tag = self.responses.ask(now, request);
        self.timers
            .set(Timer::Response, now + self.config.response_limit);
        self.order(Order::Create { tag, instructions });
    }

    fn publish_state(&mut self) {
        if self.is_finished {
            return;
        }
        let state = self.agent.update(Facts {
            is_connected: self.is_room_ready && self.link.is_up(),
            has_caller: self.audience.caller().is_some(),
            is_audible: self.playhead.is_audible() && !self.is_paused(),
            user_speaks: self.user.is_speaking() || self.overlap.is_some(),
            is_working: self.is_models_turn() || self.calls.is_running(),
        });
        if let Some(state) = state {
            self.publish(Publish::AgentState(state));
        }
    }

    fn order(&mut self, order: Order) {
        self.outputs.push_back(Output::Model(order));
    }

    fn publish(&mut self, publish: Publish) {
        self.outputs.push_back(Output::Publish(publish));
    }

    fn publish_all(&mut self, all: Vec<Publish>) {
        self.outputs.extend(all.into_iter().map(Output::Publish));
    }

    fn note(&mut self, note: Note) {
        self.outputs.push_back(Output::Note(note));
    }

    fn note_unexpected(&mut self, what: &'static str) {
        self.note(Note::Unexpected { what });
    }
}
