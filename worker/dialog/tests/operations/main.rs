//! Ring: hermetic. Random operation sequences; what must always hold is checked after each step.
//!
//! The world here is hostile: events come in any order, flushes are reported late, twice or never,
//! links drop at any time. Only three things are honest: ids are not reused, a connection sends no
//! events of an earlier one, and the outgoing queue does not report more than it was given.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use bolero::{check, produce};
use dialog::{
    Config, Dialog, Input, Silence,
    config::{Answers, Hears},
    input::{Ask, Audience, Heard, ModelLink, Playout, SpeechEdge},
    model::{CallId, Event, ItemId, Picture, PictureFormat, ResponseId, Tag},
    output::{AgentState, CloseReason},
    speaker::{ParticipantId, Role},
};

mod acts;
mod checks;
mod operation;

use operation::{Command, Edge, Kind, Operation};

#[test]
fn whatever_happens_the_promises_hold() {
    let operations = produce::<Vec<Operation>>().with().len(0_usize..160);
    check!()
        .with_generator((produce::<Kind>(), operations))
        .with_iterations(4_000)
        .cloned()
        .for_each(|(kind, operations): (Kind, Vec<Operation>)| {
            let mut world = World::new(kind);
            world.begin();
            for operation in operations {
                world.apply(operation);
            }
            world.come_to_rest();
        });
}

#[derive(Default)]
struct Item {
    response: usize,
    received: Duration,
    /// What arrived before its response was stopped: the only part that can be heard.
    counted: Duration,
    advanced: Duration,
    is_started: bool,
    is_complete: bool,
    is_settled: bool,
    /// A flush was ordered: what arrives now is refused.
    is_flushed: bool,
    is_of_lost_link: bool,
}

/// The world, and a second opinion about it.
struct World {
    dialog: Dialog,
    now: Instant,
    items: Vec<Item>,
    calls: usize,
    ran: HashSet<CallId>,
    /// Calls of the provider's that it may run, or may not.
    decided: HashSet<CallId>,
    /// The first call of this connection.
    first_call: usize,
    /// User items that were no turns.
    taken_back: HashSet<ItemId>,
    heard_again: HashSet<ItemId>,
    is_clip_heard: bool,
    responses: usize,
    /// The first response of the current connection.
    first_response: usize,
    live: Option<usize>,
    stopped: HashSet<usize>,
    asked: Option<Tag>,
    last_tag: Option<Tag>,
    /// Questions beside the conversation.
    questions: Vec<Tag>,
    /// Pictures that the model sees.
    pictures: HashSet<ItemId>,
    /// Flushes that were not reported yet, with the response that each of them left alone.
    flushes: VecDeque<Option<usize>>,
    is_paused: bool,
    /// What the model created by itself behind the pause.
    behind_pause: Option<usize>,
    users: usize,
    is_up: bool,
    /// The model is told to remember less, right now.
    is_shrinking: bool,
    is_finished: bool,
    /// A committed turn nobody has accounted for yet.
    open_turn: bool,
    state: Option<AgentState>,
    ended_segments: HashSet<String>,
    open_segments: HashMap<String, usize>,
}

impl World {
    #[expect(
        clippy::disallowed_methods,
        reason = "any instant will do as the zero of a test"
    )]
    fn new(kind: Kind) -> Self {
        let answers = match kind {
            Kind::Asked => Answers::Asked(vec!["words".to_owned()]),
            Kind::Named => Answers::Named(vec!["words".to_owned()]),
            Kind::Disclosing | Kind::Pressed | Kind::Usual => Answers::Everything,
        };
        let config = Config {
            answers,
            // What the model writes of what it says.
            disclosure: (kind == Kind::Disclosing).then(|| "some words".to_owned()),
            presses_to_talk: kind == Kind::Pressed,
            greeting: Some("Greet.".to_owned()),
            silence: Some(Silence {
                prompt: "Ask.".to_owned(),
                prompt_after: Duration::from_secs(10),
                hang_up_after: Duration::from_secs(10),
            }),
            ..Config::default()
        };
        Self {
            dialog: Dialog::new(config),
            now: Instant::now(),
            items: Vec::new(),
            calls: 0,
            ran: HashSet::new(),
            decided: HashSet::new(),
            first_call: 0,
            taken_back: HashSet::new(),
            heard_again: HashSet::new(),
            is_clip_heard: false,
            responses: 0,
            first_response: 0,
            live: None,
            stopped: HashSet::new(),
            asked: None,
            last_tag: None,
            questions: Vec::new(),
            pictures: HashSet::new(),
            flushes: VecDeque::new(),
            is_paused: false,
            behind_pause: None,
            users: 0,
            is_up: false,
            is_shrinking: false,
            is_finished: false,
            open_turn: false,
            state: None,
            ended_segments: HashSet::new(),
            open_segments: HashMap::new(),
        }
    }

    /// Chance alone would need long to bring everybody together.
    fn begin(&mut self) {
        self.apply(Operation::Join {
            who: 0,
            is_agent: false,
        });
        self.apply(Operation::RoomReady);
        self.apply(Operation::LinkUp {
            creates: true,
            truncates: true,
        });
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Answer {
                millis,
                heard,
                is_over,
            } => self.answer(millis, heard, is_over),
            Operation::Advance { back, millis } => self.advance(back, millis),
            Operation::AudioDone { back } => self.audio_done(back),
            Operation::AudioNewItem { back, millis } => self.audio_new(back, millis),
            Operation::AudioMore { back, millis } => self.audio_more(back, millis),
            Operation::Call { back, is_whole } => self.call(back, is_whole),
            Operation::Chat { who } => {
                let participant = person(who);
                self.tell(Input::Chat {
                    participant,
                    text: "A line".to_owned(),
                });
            }
            Operation::Commit => {
                self.model(Event::Committed {
                    item: user_item(self.users),
                });
            }
            Operation::Consulted { back, is_meant } => self.consulted(back, is_meant),
            Operation::Created { is_ours } => {
                let tag = if is_ours { self.asked.clone() } else { None };
                self.created(tag);
            }
            Operation::CreatedLate => self.created(self.last_tag.clone()),
            Operation::Done { back, status } => {
                if let Some(response) = self.recent_response(back) {
                    self.done(response, status);
                }
            }
            Operation::Drain { chance: 0..8 } => {
                self.tell(Input::Ask(Ask::End(CloseReason::Drained)))
            }
            Operation::Drain { .. } => {}
            Operation::Shrink => {
                self.is_shrinking = true;
                self.tell(Input::Ask(Ask::Shrink));
                self.is_shrinking = false;
            }
            Operation::Drained => {
                self.tell(Input::Playout(Playout::Drained));
                if std::mem::take(&mut self.is_clip_heard) {
                    self.tell(Input::Playout(Playout::ClipOver));
                }
            }
            Operation::Flushed => self.flushed(),
            Operation::Join { who, is_agent } => {
                let role = if is_agent {
                    Role::OtherAgent
                } else {
                    Role::Guest
                };
                let (participant, name) = (person(who), String::new());
                self.tell(Input::Audience(Audience::Joined {
                    participant,
                    role,
                    name,
                }));
            }
            Operation::Leave { chance: 64.., .. } => {}
            Operation::Leave { who, .. } => {
                self.tell(Input::Audience(Audience::Left {
                    participant: person(who),
                }));
            }
            Operation::LinkDown => self.tell(Input::ModelLink(ModelLink::Down)),
            Operation::LinkUp { creates, truncates } => self.link_up(creates, truncates),
            Operation::Refused { is_busy, is_named } => self.refused(is_busy, is_named),
            Operation::RoomAway { is_away: true } => self.tell(Input::RoomAway),
            Operation::RoomAway { .. } => self.tell(Input::RoomBack),
            Operation::Press { who, is_down } => {
                let participant = person(who);
                self.tell(Input::Press {
                    participant,
                    is_down,
                });
            }
            Operation::RoomReady => self.tell(Input::RoomReady),
            Operation::Shows { who } => {
                let participant = person(who);
                let picture = Picture {
                    format: PictureFormat::Png,
                    data: Vec::new().into(),
                };
                self.tell(Input::Picture {
                    participant,
                    picture,
                });
            }
            Operation::Command(command) => self.tell(Input::Ask(match command {
                Command::Equip => Ask::Equip(vec!["tool".to_owned()]),
                Command::GoOn => Ask::GoOn,
                Command::HearCaller => Ask::Hear(Hears::Caller),
                Command::HearEveryone => Ask::Hear(Hears::Everyone),
                Command::Instruct => Ask::Instruct("Be brief".to_owned()),
                Command::Interject => Ask::Interject("Something".to_owned()),
                Command::Say => Ask::Say("Something".to_owned()),
                Command::Silence => Ask::Silence,
            })),
            Operation::Speech { who, what } => {
                let before = Duration::from_millis(60);
                let edge = match what {
                    Edge::Echoed => SpeechEdge::Echoed,
                    Edge::Started => SpeechEdge::Started { before },
                    Edge::Stopped => SpeechEdge::Stopped { before },
                };
                let participant = person(who);
                self.tell(Input::Speech { participant, edge });
            }
            Operation::SpeechStarted => {
                self.users += 1;
                self.model(Event::SpeechStarted {
                    item: user_item(self.users),
                });
            }
            Operation::SpeechStopped => {
                self.model(Event::SpeechStopped {
                    item: user_item(self.users),
                });
            }
            Operation::Start { back } => self.start(back),
            Operation::Text { back } => self.text(back),
            Operation::CallOfProvider { back } => self.call_of_provider(back),
            Operation::McpCallDone { back } => self.mcp_call_done(back),
            Operation::ToolApproved { back } => self.tool_approved(back),
            Operation::ToolFinished { back, ends } => self.tool_finished(back, ends),
            Operation::UserText {
                is_final,
                is_company,
            } => {
                let text = if is_company { "mm-hm" } else { "words" };
                let (item, text) = (user_item(self.users), text.to_owned());
                self.model(Event::UserTranscript {
                    item,
                    text,
                    is_final,
                });
            }
            Operation::Wait { millis } => self.wait(Duration::from_millis(millis.into())),
        }
    }

    /// Everything that is under way ends well; then nothing may be left open.
    fn come_to_rest(&mut self) {
        self.link_up(true, true);
        self.tell(Input::RoomReady);
        for who in 0..=u8::MAX {
            self.apply(Operation::Press {
                who,
                is_down: false,
            });
        }
        self.model(Event::SpeechStopped {
            item: user_item(self.users),
        });
        self.model(Event::Committed {
            item: user_item(self.users),
        });
        for _ in 0..200 {
            self.flushed();
            for call in 0..self.calls {
                self.tool_finished_by_id(call, false);
            }
            if let Some(live) = self.live {
                self.done(live, 0);
            } else if self.asked.is_some() {
                self.created(self.asked.clone());
            } else {
                self.tell(Input::Playout(Playout::Drained));
                self.wait(Duration::from_millis(500));
            }
        }
        assert!(
            !self.open_turn || self.is_finished,
            "a committed turn was forgotten"
        );
        assert!(!self.is_paused || self.is_finished, "paused for ever");
    }

    fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(due) = self.dialog.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.dialog.handle_timeout(self.now);
            let next = self.dialog.poll_timeout();
            assert!(
                next.is_none_or(|next| next > self.now),
                "a timer was set to the past"
            );
            self.drain();
        }
        self.now = until;
    }

    fn model(&mut self, event: Event) {
        self.tell(Input::Model(event));
    }

    fn tell(&mut self, input: Input) {
        match &input {
            Input::ModelLink(ModelLink::Down) => {
                self.heard_again.clear();
                self.lose_link();
            }
            Input::Model(Event::ResponseCreated { .. }) if self.is_up => self.open_turn = false,
            Input::Model(Event::Committed { item } | Event::UserTranscript { item, .. }) => {
                self.heard_again.remove(item);
            }
            _ => {}
        }
        self.dialog.handle(self.now, input);
        let next = self.dialog.poll_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "a timer was set to the past"
        );
        self.drain();
        if !self.is_paused {
            self.behind_pause = None;
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.dialog.poll_output() {
            assert!(!self.is_finished, "after the end: {output:?}");
            self.check(output);
        }
        assert!(!self.is_finished || self.dialog.poll_timeout().is_none());
    }
}

impl Item {
    fn heard(&self, index: usize) -> Heard {
        let response = response_id(self.response);
        Heard {
            response,
            item: item_id(index),
            heard: self.advanced,
        }
    }
}

fn person(who: u8) -> ParticipantId {
    ParticipantId::new(format!("p{}", who % 4))
}

fn user_item(n: usize) -> ItemId {
    ItemId::new(format!("u{n}"))
}

fn item_id(n: usize) -> ItemId {
    ItemId::new(format!("a{n}"))
}

fn response_id(n: usize) -> ResponseId {
    ResponseId::new(format!("r{n}"))
}

fn call_id(n: usize) -> CallId {
    CallId::new(format!("c{n}"))
}

fn index(id: &str) -> usize {
    id[1..].parse().expect("ids are a letter and a number")
}
