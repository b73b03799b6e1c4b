//! The picture of a scene: time, people, the model's lane, the agent's lane.

use std::{fmt::Write as _, time::Duration};

use dialog::{
    Input, Output,
    input::{Audience, ModelLink, Playout},
    model::{Event, ItemId, NewItem, Order, ResponseId, Said},
    note::Note,
    output::{Gate, PlayoutOrder, Publish},
};

use super::Scene;

impl Scene {
    fn show(&mut self, lane: Lane, text: &str) {
        let time = self.now.as_secs_f64();
        let indent = lane as usize;
        writeln!(self.lanes, "{time:5.2}  {:indent$}{text}", "").expect("a string takes it all");
    }

    pub(super) fn show_fact(&mut self, input: &Input) {
        let (lane, text) = match input {
            Input::Ask(ask) => (Lane::People, format!("asked: {ask:?}")),
            Input::Audience(Audience::Joined { participant, .. }) => {
                (Lane::People, format!("{} joins", participant.as_str()))
            }
            Input::Audience(Audience::Left { participant }) => {
                (Lane::People, format!("{} leaves", participant.as_str()))
            }
            Input::Chat { participant, text } => (
                Lane::People,
                format!("{} types {text:?}", participant.as_str()),
            ),
            Input::Model(Event::SpeechStarted { item }) => (Lane::People, format!("speaks {item}")),
            Input::Model(Event::SpeechStopped { .. }) => return,
            Input::Model(Event::Committed { item }) => (Lane::People, format!("turn {item}")),
            Input::Model(event) => match show_event(event) {
                Some(text) => (Lane::Model, format!("< {text}")),
                None => return,
            },
            Input::ModelLink(ModelLink::Up(_)) => (Lane::Model, "link up".to_owned()),
            Input::ModelLink(ModelLink::Rotated(_)) => (Lane::Model, "fresh link".to_owned()),
            Input::ModelLink(ModelLink::Spare) => (Lane::Model, "spare link".to_owned()),
            Input::ModelLink(ModelLink::Down) => (Lane::Model, "link down".to_owned()),
            Input::ModelLink(_) => (Lane::Model, "link given up".to_owned()),
            Input::Playout(Playout::Started { item, .. }) => {
                (Lane::Agent, format!("is heard: {item}"))
            }
            Input::Playout(Playout::Drained) => (Lane::Agent, "is silent".to_owned()),
            Input::Picture { participant, .. } => (
                Lane::People,
                format!("{} shows a picture", participant.as_str()),
            ),
            Input::Press {
                participant,
                is_down,
            } => {
                let does = if *is_down { "presses" } else { "lets go" };
                (Lane::People, format!("{} {does}", participant.as_str()))
            }
            Input::RoomAway => (Lane::People, "room away".to_owned()),
            Input::RoomBack => (Lane::People, "room back".to_owned()),
            Input::RoomReady => (Lane::People, "room ready".to_owned()),
            Input::ToolApproved { call } => (Lane::Agent, format!("tool {call} is approved")),
            Input::ToolFinished { call, .. } => (Lane::Agent, format!("tool {call} answers")),
            _ => return,
        };
        self.show(lane, &text);
    }

    pub(super) fn show_output(&mut self, output: &Output) {
        let (lane, text) = match output {
            Output::CancelTool(call) => (Lane::Agent, format!("stop tool {call}")),
            Output::CancelReads => (Lane::Agent, "call off look-ups".to_owned()),
            Output::Ear { participant, gate } => {
                let gate = if *gate == Gate::Open {
                    "open"
                } else {
                    "closed"
                };
                (
                    Lane::People,
                    format!("ear of {}: {gate}", participant.as_str()),
                )
            }
            Output::Finished(reason) => (Lane::Agent, format!("FINISHED {reason:?}")),
            Output::McpCallDone { call, end } => {
                (Lane::Agent, format!("tool {call} ended: {end:?}"))
            }
            Output::Model(order) => (Lane::Model, format!("> {}", show_order(order))),
            Output::Note(Note::ResponseEnded { .. }) => return,
            Output::Note(note) => (Lane::Agent, format!("({})", show_note(note))),
            Output::Playout(order) => (Lane::Agent, show_playout(order)),
            Output::Publish(publish) => match self.show_publish(publish) {
                Some(shown) => shown,
                None => return,
            },
            Output::RunTool(call) => (
                Lane::Agent,
                format!("run {} {} {}", call.name, call.call, call.arguments),
            ),
            // The lane of people says it: the room is ready.
            Output::Voice(_) => return,
            other => (Lane::Agent, format!("{other:?}")),
        };
        self.show(lane, &text);
    }

    fn show_publish(&mut self, publish: &Publish) -> Option<(Lane, String)> {
        match publish {
            Publish::AgentState(state) => Some((Lane::Agent, state.as_str().to_uppercase())),
            Publish::AgentText { text, .. } => {
                self.said.push_str(text);
                self.shows_text
                    .then(|| (Lane::Agent, format!("text {text:?}")))
            }
            Publish::AgentTextEnd {
                segment,
                interrupted,
            } => {
                let said = std::mem::take(&mut self.said);
                let cut = if *interrupted { " -- cut" } else { "" };
                Some((Lane::Agent, format!("said {segment} {said:?}{cut}")))
            }
            Publish::UserText {
                participant,
                text,
                is_final,
                ..
            } => {
                let more = if *is_final { "" } else { " .." };
                Some((
                    Lane::People,
                    format!("{}: {text:?}{more}", participant.as_str()),
                ))
            }
            other => Some((Lane::Agent, format!("{other:?}"))),
        }
    }
}

#[derive(Clone, Copy)]
enum Lane {
    People = 0,
    Model = 24,
    Agent = 48,
}

fn show_event(event: &Event) -> Option<String> {
    Some(match event {
        Event::ApprovalRequested { name, call, .. } => format!("may I call {name} {call}"),
        Event::Consulted { tag, answer, .. } => format!("{tag}: {answer:?}"),
        Event::Error { code, .. } => format!("error {code}"),
        Event::FunctionCall { name, call, .. } => format!("call {name} {call}"),
        Event::McpCallDone { call, .. } => format!("ran {call}"),
        Event::ResponseCreated { response, tag } => match tag {
            Some(tag) => format!("created {response} for {tag}"),
            None => format!("created {response}"),
        },
        Event::ResponseDone {
            response, status, ..
        } => format!("done {response} {status:?}"),
        _ => return None,
    })
}

fn show_order(order: &Order) -> String {
    match order {
        Order::Cancel { response } => format!("cancel {}", name(response.as_ref())),
        Order::Consult { tag, about, .. } => {
            let about: Vec<_> = about.iter().map(show_said).collect();
            format!("consult {tag} about {}", about.join(", "))
        }
        Order::Create {
            tag,
            instructions: None,
        } => format!("create {tag}"),
        Order::Create {
            tag,
            instructions: Some(words),
        } => format!("create {tag} {words:?}"),
        Order::Delete { item } => format!("delete {item}"),
        Order::Item(NewItem::AgentText(text)) => format!("item agent {text:?}"),
        Order::Item(NewItem::Approval { call, denial }) => match denial {
            None => format!("item approves {call}"),
            Some(why) => format!("item denies {call} {why:?}"),
        },
        Order::Item(NewItem::FunctionOutput { call, output }) => {
            format!("item output {call} {output:?}")
        }
        Order::Item(NewItem::Picture { item, caption, .. }) => match caption {
            Some(caption) => format!("item {item} {caption:?}"),
            None => format!("item {item}"),
        },
        Order::Item(NewItem::SystemText(text)) => format!("item system {text:?}"),
        Order::Item(NewItem::UserText(text)) => format!("item user {text:?}"),
        Order::ClearInput => "clear input".to_owned(),
        Order::Commit => "commit".to_owned(),
        Order::HearAgain(items) => {
            let items: Vec<_> = items.iter().map(ItemId::as_str).collect();
            format!("hear again {}", items.join(", "))
        }
        Order::Rotate => "rotate".to_owned(),
        Order::TurnControl { creates_responses } => {
            format!("turns: model creates = {creates_responses}")
        }
        Order::Truncate { item, heard } => format!("truncate {item} at {:.2}", heard.as_secs_f64()),
        other => format!("{other:?}"),
    }
}

fn show_said(said: &Said) -> String {
    match said {
        Said::Item(item) => item.to_string(),
        Said::Words(NewItem::AgentText(text)) => format!("agent {text:?}"),
        Said::Words(NewItem::UserText(text)) => format!("user {text:?}"),
        other => format!("{other:?}"),
    }
}

fn show_playout(order: &PlayoutOrder) -> String {
    match order {
        PlayoutOrder::Drop { response } => format!("drop {response}"),
        PlayoutOrder::Flush {
            response,
            keep: None,
        } => format!("flush {}", name(response.as_ref())),
        PlayoutOrder::Flush {
            response,
            keep: Some(kept),
        } => format!("flush {} but {kept}", name(response.as_ref())),
        PlayoutOrder::PlayClip(clip) => format!("clip {clip:?}"),
        PlayoutOrder::StopClip => "stop clip".to_owned(),
        PlayoutOrder::Pause => "pause".to_owned(),
        PlayoutOrder::Resume => "resume".to_owned(),
        other => format!("{other:?}"),
    }
}

fn show_note(note: &Note) -> String {
    let s = Duration::as_secs_f64;
    match note {
        Note::Interrupted {
            heard,
            stopped_after,
        } => {
            format!(
                "interrupted at {:.2}, stopped after {:.2}",
                s(heard),
                s(stopped_after)
            )
        }
        Note::FalseInterruption { paused, .. } => {
            format!("no interruption, paused {:.2}", s(paused))
        }
        Note::TurnAnswered { latency } => format!("answered after {:.2}", s(latency)),
        Note::TurnCommitted { speech } => format!("turn of {:.2}", s(speech)),
        Note::Greeted { latency } => format!("greeted after {:.2}", s(latency)),
        other => format!("{other:?}"),
    }
}

fn name(response: Option<&ResponseId>) -> &str {
    response.map_or("all", ResponseId::as_str)
}
