//! A model with the rules of a realtime API: one response at a time, audio faster than real time.

use std::{collections::VecDeque, time::Duration};

use dialog::model::{CallId, Event, ItemId, NewItem, Order, ResponseId, ResponseStatus, Tag};

/// Thinking time before the first delta.
const FIRST_DELTA: Duration = Duration::from_millis(200);
/// One delta of this much audio ...
const DELTA: Duration = Duration::from_millis(200);
/// ... comes this often: four times faster than it is spoken.
const DELTA_EVERY: Duration = Duration::from_millis(50);

pub(crate) enum Reply {
    Say(Vec<(String, f64)>),
    Call(String, Vec<(String, String)>),
    Fail(String),
    Ignore,
}

#[derive(Default)]
pub(crate) struct Sim {
    pub(crate) replies: VecDeque<Reply>,
    /// What it answers when it is asked beside the conversation, and after how long; it is silent after these.
    pub(crate) opinions: VecDeque<(String, Duration)>,
    pub(crate) creates_responses: bool,
    pub(crate) connections: usize,
    live: Option<ResponseId>,
    responses: usize,
    items: usize,
    calls: usize,
    commits: usize,
    /// No sound of people reaches it.
    pub(crate) is_deaf: bool,
    /// What it may ask to run, the seconds that takes, and the end.
    pub(crate) may_run: Vec<(CallId, f64, Event)>,
}

type Timed = Vec<(Duration, Event)>;

impl Sim {
    pub(crate) fn disconnect(&mut self) {
        self.live = None;
        self.creates_responses = false;
    }

    /// A turn was committed: does the model answer by itself?
    pub(crate) fn turn_due(&mut self) -> Timed {
        if self.creates_responses && self.live.is_none() {
            self.respond(None)
        } else {
            Vec::new()
        }
    }

    pub(crate) fn done(&mut self, response: &ResponseId) {
        self.live.take_if(|live| live == response);
    }

    pub(crate) fn hear(&mut self, order: &Order) -> Timed {
        match order {
            Order::Consult { tag, .. } => {
                let opinion = self.opinions.pop_front();
                let answered = opinion.map(|(answer, after)| {
                    let (tag, answer) = (tag.clone(), Some(answer));
                    let usage = None;
                    (after, Event::Consulted { tag, answer, usage })
                });
                answered.into_iter().collect()
            }
            Order::Create { tag, .. } if self.live.is_some() => {
                let code = "conversation_already_has_active_response".to_owned();
                vec![(
                    Duration::ZERO,
                    Event::Error {
                        code,
                        tag: Some(tag.clone()),
                    },
                )]
            }
            Order::Create { tag, .. } => self.respond(Some(tag.clone())),
            Order::Cancel { response } => match self.live.take() {
                Some(live) if response.as_ref().is_none_or(|wanted| *wanted == live) => {
                    vec![(
                        Duration::from_millis(20),
                        done(live, ResponseStatus::Cancelled),
                    )]
                }
                live => {
                    self.live = live;
                    let code = "response_cancel_not_active".to_owned();
                    vec![(Duration::ZERO, Event::Error { code, tag: None })]
                }
            },
            Order::Commit => self.commit(),
            Order::Item(NewItem::Approval { call, denial: None }) => {
                let mut may_run = self.may_run.iter();
                let found = may_run.find(|(asked, ..)| asked == call);
                let run =
                    found.map(|(_, takes, end)| (Duration::from_secs_f64(*takes), end.clone()));
                run.into_iter().collect()
            }
            Order::TurnControl { creates_responses } => {
                self.creates_responses = *creates_responses;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn commit(&mut self) -> Timed {
        if self.is_deaf {
            let code = "input_audio_buffer_commit_empty".to_owned();
            return vec![(Duration::ZERO, Event::Error { code, tag: None })];
        }
        self.commits += 1;
        let item = ItemId::new(format!("p{}", self.commits));
        vec![(Duration::from_millis(20), Event::Committed { item })]
    }

    fn respond(&mut self, tag: Option<Tag>) -> Timed {
        let fallback = Reply::Say(vec![("Well.".to_owned(), 0.4)]);
        let reply = self.replies.pop_front().unwrap_or(fallback);
        if matches!(reply, Reply::Ignore) {
            return Vec::new();
        }
        self.responses += 1;
        let response = ResponseId::new(format!("r{}", self.responses));
        self.live = Some(response.clone());
        let mut at = Duration::from_millis(30);
        let created = Event::ResponseCreated {
            response: response.clone(),
            tag,
        };
        let mut events = vec![(at, created)];
        at += FIRST_DELTA;
        let status = match reply {
            Reply::Fail(code) => ResponseStatus::Failed { code },
            Reply::Say(items) => {
                for (text, seconds) in items {
                    self.speak(&response, &text, seconds, &mut at, &mut events);
                }
                ResponseStatus::Completed
            }
            Reply::Call(says, calls) => {
                if !says.is_empty() {
                    self.speak(&response, &says, 1.0, &mut at, &mut events);
                }
                for (name, arguments) in calls {
                    events.push((at, self.call(&response, name, arguments)));
                }
                ResponseStatus::Completed
            }
            Reply::Ignore => return Vec::new(),
        };
        events.push((at, done(response, status)));
        events
    }

    fn speak(
        &mut self,
        response: &ResponseId,
        text: &str,
        seconds: f64,
        at: &mut Duration,
        events: &mut Timed,
    ) {
        self.items += 1;
        let item = ItemId::new(format!("a{}", self.items));
        let whole = Duration::from_secs_f64(seconds);
        let mut words = text.split_inclusive(' ');
        let mut sent = Duration::ZERO;
        while sent < whole {
            let duration = DELTA.min(whole - sent);
            sent += duration;
            let word = words.next().unwrap_or_default().to_owned();
            let (response, item) = (response.clone(), item.clone());
            let text = Event::TranscriptDelta {
                response: response.clone(),
                item: item.clone(),
                text: word,
            };
            events.push((*at, text));
            events.push((
                *at,
                Event::AudioReceived {
                    response,
                    item,
                    duration,
                },
            ));
            *at += DELTA_EVERY;
        }
        let rest: String = words.collect();
        let (response, item) = (response.clone(), item);
        let text = Event::TranscriptDelta {
            response: response.clone(),
            item: item.clone(),
            text: rest,
        };
        events.push((*at, text));
        events.push((*at, Event::AudioDone { response, item }));
    }

    fn call(&mut self, response: &ResponseId, name: String, arguments: String) -> Event {
        self.calls += 1;
        let (response, call) = (response.clone(), CallId::new(format!("c{}", self.calls)));
        if is_of_a_server(&name) {
            return Event::ApprovalRequested {
                response,
                call,
                name,
                arguments,
            };
        }
        Event::FunctionCall {
            response,
            item: ItemId::new(format!("f{}", self.calls)),
            call,
            name,
            arguments,
        }
    }

    /// It is gone with the connection.
    pub(crate) fn is_on_its_way(event: &Event) -> bool {
        matches!(event, Event::McpCallDone { .. }) || Self::response_of(event).is_some()
    }

    pub(crate) fn response_of(event: &Event) -> Option<&ResponseId> {
        match event {
            Event::ApprovalRequested { response, .. }
            | Event::AudioDone { response, .. }
            | Event::AudioReceived { response, .. }
            | Event::FunctionCall { response, .. }
            | Event::ResponseCreated { response, .. }
            | Event::ResponseDone { response, .. }
            | Event::TranscriptDelta { response, .. } => Some(response),
            _ => None,
        }
    }
}

/// `SERVER-TOOL`: the provider runs it.
pub(crate) fn is_of_a_server(name: &str) -> bool {
    name.contains('-')
}

fn done(response: ResponseId, status: ResponseStatus) -> Event {
    Event::ResponseDone {
        response,
        status,
        usage: None,
    }
}
