//! Ring: hermetic. Random operation sequences; what must always hold is checked after each step.
//!
//! The world here is hostile: events come in any order, flushes are reported late, twice or never,
//! links drop at any time. Only three things are honest: ids are not reused, a connection sends no
//! events of an earlier one, and the outgoing queue does not report more than it was given.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use bolero::{TypeGenerator, check, produce};
use dialog::{
    Config, Dialog, Input, Output,
    input::{AfterTool, Ask, Audience, Heard, ModelLink, Playout},
    model::{CallId, Capabilities, Event, ItemId, Order, ResponseId, ResponseStatus, Tag},
    note::Note,
    output::{AgentState, CloseReason, PlayoutOrder, Publish},
    speaker::{ParticipantId, Role},
};

/// One thing that happens. Small numbers choose among the few newest ids.
#[derive(Clone, Debug, TypeGenerator)]
enum Operation {
    /// A response begins, speaks and is heard for a while: what chance alone would rarely build.
    Answer {
        millis: u16,
        heard: u16,
        is_over: bool,
    },
    Advance {
        back: u8,
        millis: u16,
    },
    AudioDone {
        back: u8,
    },
    AudioNewItem {
        back: u8,
        millis: u16,
    },
    AudioMore {
        back: u8,
        millis: u16,
    },
    Call {
        back: u8,
        is_whole: bool,
    },
    Chat {
        who: u8,
    },
    Commit,
    Created {
        is_ours: bool,
    },
    CreatedLate,
    Done {
        back: u8,
        status: u8,
    },
    /// Ends the conversation, so it is rare.
    Drain {
        chance: u8,
    },
    Drained,
    Flushed,
    Join {
        who: u8,
        is_agent: bool,
    },
    Leave {
        who: u8,
        chance: u8,
    },
    LinkDown,
    LinkUp {
        creates: bool,
        truncates: bool,
    },
    Refused {
        is_busy: bool,
        is_named: bool,
    },
    RoomReady,
    Say,
    SpeechStarted,
    SpeechStopped,
    Start {
        back: u8,
    },
    Text {
        back: u8,
    },
    ToolFinished {
        back: u8,
        ends: bool,
    },
    UserText {
        is_final: bool,
    },
    Wait {
        millis: u16,
    },
}

#[test]
fn whatever_happens_the_promises_hold() {
    let operations = produce::<Vec<Operation>>().with().len(0_usize..160);
    check!()
        .with_generator(operations)
        .with_iterations(4_000)
        .cloned()
        .for_each(|operations: Vec<Operation>| {
            let mut world = World::new();
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
    responses: usize,
    /// The first response of the current connection.
    first_response: usize,
    live: Option<usize>,
    stopped: HashSet<usize>,
    asked: Option<Tag>,
    last_tag: Option<Tag>,
    flushes: u32,
    users: usize,
    is_up: bool,
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
    fn new() -> Self {
        let config = Config {
            greeting: Some("Greet.".to_owned()),
            ..Config::default()
        };
        Self {
            dialog: Dialog::new(config),
            now: Instant::now(),
            items: Vec::new(),
            calls: 0,
            ran: HashSet::new(),
            responses: 0,
            first_response: 0,
            live: None,
            stopped: HashSet::new(),
            asked: None,
            last_tag: None,
            flushes: 0,
            users: 0,
            is_up: false,
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
            Operation::Drain { chance: 0..8 } => self.tell(Input::Ask(Ask::Drain)),
            Operation::Drain { .. } => {}
            Operation::Drained => self.tell(Input::Playout(Playout::Drained)),
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
            Operation::RoomReady => self.tell(Input::RoomReady),
            Operation::Say => self.tell(Input::Ask(Ask::Say("Something".to_owned()))),
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
            Operation::ToolFinished { back, ends } => self.tool_finished(back, ends),
            Operation::UserText { is_final } => {
                let (item, text) = (user_item(self.users), "words".to_owned());
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
            Input::ModelLink(ModelLink::Down) => self.lose_link(),
            Input::Model(Event::ResponseCreated { .. }) if self.is_up => self.open_turn = false,
            _ => {}
        }
        self.dialog.handle(self.now, input);
        let next = self.dialog.poll_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "a timer was set to the past"
        );
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.dialog.poll_output() {
            assert!(!self.is_finished, "after the end: {output:?}");
            self.check(output);
        }
        assert!(!self.is_finished || self.dialog.poll_timeout().is_none());
    }
}

/// What must hold of every output.
impl World {
    fn check(&mut self, output: Output) {
        match output {
            Output::Finished(reason) => {
                assert!(matches!(
                    reason,
                    CloseReason::CallerLeft | CloseReason::Drained | CloseReason::AgentEnded
                ));
                assert!(self.open_segments.is_empty(), "a segment was left open");
                self.is_finished = true;
            }
            Output::Model(order) => {
                assert!(self.is_up, "an order without connection: {order:?}");
                self.check_order(order);
            }
            Output::Note(note) => self.check_note(&note),
            Output::Playout(PlayoutOrder::Flush { .. }) => {
                self.flushes += 1;
                self.items
                    .iter_mut()
                    .for_each(|item| item.is_flushed = true);
            }
            Output::Publish(publish) => self.check_publish(publish),
            Output::RunTool(call) => {
                assert!(self.ran.insert(call.call), "a call ran twice");
            }
            _ => {}
        }
    }

    fn check_order(&mut self, order: Order) {
        match order {
            Order::Cancel { response } => {
                let response = index(response.expect("cancels are by id").as_str());
                self.stopped.insert(response);
            }
            Order::Create { tag, .. } => {
                assert!(self.asked.is_none(), "two responses asked for at once");
                assert!(self.live.is_none(), "asked while a response is active");
                self.open_turn = false;
                self.last_tag = Some(tag.clone());
                self.asked = Some(tag);
            }
            Order::Delete { item } => {
                let item = self.settle(&item);
                let was_heard = item.advanced.min(item.counted) >= Duration::from_millis(1);
                assert!(!was_heard, "deleted although it was heard");
            }
            Order::Truncate { item, heard } => {
                let item = self.settle(&item);
                assert!(heard <= item.counted, "cut beyond what was received");
                let floor = item.advanced.min(item.counted);
                assert!(
                    heard + Duration::from_millis(1) > floor,
                    "cut before what was heard"
                );
                assert_eq!(
                    heard.subsec_nanos() % 1_000_000,
                    0,
                    "not whole milliseconds"
                );
            }
            _ => {}
        }
    }

    /// The item of an order about what was heard: there is one such order per item, and none about
    /// items of a lost connection.
    fn settle(&mut self, item: &ItemId) -> &mut Item {
        let item = &mut self.items[index(item.as_str())];
        assert!(!item.is_settled, "an item was cut twice");
        assert!(
            !item.is_of_lost_link,
            "an item of a lost connection was touched"
        );
        item.is_settled = true;
        item
    }

    fn check_note(&mut self, note: &Note) {
        match note {
            Note::ResponseLost { .. } => self.give_up(),
            Note::TurnCommitted { .. } => self.open_turn = true,
            Note::TurnContinued | Note::TurnUnanswered => self.open_turn = false,
            _ => {}
        }
    }

    /// What was asked for is given up before what is being generated.
    fn give_up(&mut self) {
        if self.asked.take().is_none() {
            self.stopped.extend(self.live.take());
        }
    }

    fn check_publish(&mut self, publish: Publish) {
        match publish {
            Publish::AgentState(state) => {
                assert_ne!(
                    self.state.replace(state),
                    Some(state),
                    "a state was published twice"
                );
            }
            Publish::AgentText { segment, text } => {
                assert!(
                    !self.ended_segments.contains(&segment),
                    "text after the end"
                );
                *self.open_segments.entry(segment).or_default() += text.len();
            }
            Publish::AgentTextEnd { segment, .. } => {
                assert!(
                    self.open_segments.remove(&segment).is_some(),
                    "an end without text"
                );
                self.ended_segments.insert(segment);
            }
            _ => {}
        }
    }
}

/// What the world does.
impl World {
    fn lose_link(&mut self) {
        self.is_up = false;
        self.live = None;
        self.asked = None;
        self.first_response = self.responses;
        for item in &mut self.items {
            item.is_of_lost_link = true;
        }
    }

    fn link_up(&mut self, creates: bool, truncates: bool) {
        self.tell(Input::ModelLink(ModelLink::Down));
        self.is_up = true;
        let capabilities = Capabilities {
            creates_responses: creates,
            truncates,
            ..Capabilities::all()
        };
        self.tell(Input::ModelLink(ModelLink::Up(capabilities)));
    }

    fn created(&mut self, tag: Option<Tag>) {
        let response = self.responses;
        self.responses += 1;
        if self.is_up {
            self.live = Some(response);
            self.asked.take_if(|asked| Some(&*asked) == tag.as_ref());
        }
        self.model(Event::ResponseCreated {
            response: response_id(response),
            tag,
        });
    }

    fn done(&mut self, response: usize, status: u8) {
        self.live.take_if(|live| *live == response);
        let status = match status % 4 {
            0 => ResponseStatus::Completed,
            1 => ResponseStatus::Cancelled,
            2 => ResponseStatus::Incomplete,
            _ => ResponseStatus::Failed {
                code: "server_error".to_owned(),
            },
        };
        let response = response_id(response);
        self.model(Event::ResponseDone {
            response,
            status,
            usage: None,
        });
    }

    fn refused(&mut self, is_busy: bool, is_named: bool) {
        let code = if is_busy {
            "conversation_already_has_active_response"
        } else {
            "invalid"
        };
        let tag = if is_named { self.asked.clone() } else { None };
        if self.is_up && (is_named || is_busy) {
            self.asked = None;
        }
        self.model(Event::Error {
            code: code.to_owned(),
            tag,
        });
    }

    fn answer(&mut self, millis: u16, heard: u16, is_over: bool) {
        if self.live.is_none() {
            self.created(self.asked.clone());
        }
        self.audio_new(0, millis);
        self.text(0);
        self.audio_more(0, millis);
        self.start(0);
        self.advance(0, heard);
        if is_over {
            self.audio_done(0);
            self.done(self.responses - 1, 0);
        }
    }

    fn audio_new(&mut self, back: u8, millis: u16) {
        if let Some(response) = self.recent_response(back) {
            self.items.push(Item {
                response,
                ..Item::default()
            });
            self.audio(self.items.len() - 1, millis);
        }
    }

    fn audio_more(&mut self, back: u8, millis: u16) {
        if let Some(item) = self.recent(self.items.len(), back) {
            self.audio(item, millis);
        }
    }

    fn audio(&mut self, index: usize, millis: u16) {
        if self.items[index].is_of_lost_link {
            return;
        }
        let duration = Duration::from_micros(u64::from(millis) * 100);
        let item = &mut self.items[index];
        item.received += duration;
        if !self.stopped.contains(&item.response) && !item.is_flushed {
            item.counted += duration;
        }
        let response = response_id(item.response);
        self.model(Event::AudioReceived {
            response,
            item: item_id(index),
            duration,
        });
    }

    fn audio_done(&mut self, back: u8) {
        if let Some(index) = self.recent_item(back) {
            self.items[index].is_complete = true;
            let response = response_id(self.items[index].response);
            self.model(Event::AudioDone {
                response,
                item: item_id(index),
            });
        }
    }

    fn text(&mut self, back: u8) {
        if let Some(index) = self.recent_item(back) {
            let response = response_id(self.items[index].response);
            let text = "some words ".to_owned();
            self.model(Event::TranscriptDelta {
                response,
                item: item_id(index),
                text,
            });
        }
    }

    fn start(&mut self, back: u8) {
        if let Some(index) = self.recent(self.items.len(), back) {
            self.items[index].is_started = true;
            let response = response_id(self.items[index].response);
            self.tell(Input::Playout(Playout::Started {
                response,
                item: item_id(index),
            }));
        }
    }

    fn advance(&mut self, back: u8, millis: u16) {
        let Some(index) = self.recent(self.items.len(), back) else {
            return;
        };
        let item = &mut self.items[index];
        if item.is_started && !item.is_settled {
            let step = Duration::from_micros(u64::from(millis) * 50);
            item.advanced = (item.advanced + step).min(item.counted);
            let heard = item.heard(index);
            self.tell(Input::Playout(Playout::Advanced(heard)));
        }
    }

    fn flushed(&mut self) {
        if self.flushes == 0 {
            return;
        }
        self.flushes -= 1;
        let open = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| !item.is_settled);
        let cut = open.map(|(index, item)| item.heard(index)).collect();
        self.tell(Input::Playout(Playout::Flushed { cut }));
    }

    fn call(&mut self, back: u8, is_whole: bool) {
        let Some(response) = self.recent_response(back) else {
            return;
        };
        let arguments = if is_whole { "{}" } else { "{\"a\":" }.to_owned();
        let call = call_id(self.calls);
        self.calls += 1;
        self.model(Event::FunctionCall {
            response: response_id(response),
            item: ItemId::new(format!("f{}", self.calls)),
            call,
            name: "tool".to_owned(),
            arguments,
        });
    }

    fn tool_finished(&mut self, back: u8, ends: bool) {
        if let Some(call) = self.recent(self.calls, back) {
            self.tool_finished_by_id(call, ends);
        }
    }

    fn tool_finished_by_id(&mut self, call: usize, ends: bool) {
        let then = if ends {
            AfterTool::EndConversation
        } else {
            AfterTool::Continue
        };
        let (call, output) = (call_id(call), "ok".to_owned());
        self.tell(Input::ToolFinished { call, output, then });
    }

    /// One of the newest responses of this connection.
    fn recent_response(&self, back: u8) -> Option<usize> {
        self.recent(self.responses, back)
            .filter(|response| *response >= self.first_response)
    }

    /// One of the newest items of this connection.
    fn recent_item(&self, back: u8) -> Option<usize> {
        let index = self.recent(self.items.len(), back)?;
        (!self.items[index].is_of_lost_link).then_some(index)
    }

    /// One of the three newest.
    fn recent(&self, count: usize, back: u8) -> Option<usize> {
        count.checked_sub(1 + usize::from(back % 3))
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
