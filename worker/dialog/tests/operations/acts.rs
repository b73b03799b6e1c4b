//! What the world does, in the words of the conversation.

use std::time::Duration;

use dialog::{
    Input,
    input::{AfterTool, ModelLink, Playout},
    model::{Capabilities, Event, ItemId, McpEnd, ResponseStatus, Tag},
};

use super::{Item, World, call_id, item_id, response_id};

impl World {
    pub(super) fn lose_link(&mut self) {
        self.is_up = false;
        self.live = None;
        self.asked = None;
        self.first_response = self.responses;
        self.first_call = self.calls;
        // The next connection may use the ids of people's items again.
        self.taken_back.clear();
        self.pictures.clear();
        for item in &mut self.items {
            item.is_of_lost_link = true;
        }
    }

    pub(super) fn link_up(&mut self, creates: bool, truncates: bool) {
        self.tell(Input::ModelLink(ModelLink::Down));
        self.is_up = true;
        let capabilities = Capabilities {
            creates_responses: creates,
            truncates,
            ..Capabilities::all()
        };
        self.tell(Input::ModelLink(ModelLink::Up(capabilities)));
    }

    pub(super) fn created(&mut self, tag: Option<Tag>) {
        let response = self.responses;
        self.responses += 1;
        if self.is_up {
            self.live = Some(response);
            if self.is_paused && tag.is_none() {
                self.behind_pause = Some(response);
            }
            self.asked.take_if(|asked| Some(&*asked) == tag.as_ref());
        }
        self.model(Event::ResponseCreated {
            response: response_id(response),
            tag,
        });
    }

    /// A question may be answered twice, or after the connection that was asked is gone.
    pub(super) fn consulted(&mut self, back: u8, is_meant: bool) {
        let Some(question) = self.recent(self.questions.len(), back) else {
            return;
        };
        let answer = if is_meant { "yes" } else { "no" };
        self.model(Event::Consulted {
            tag: self.questions[question].clone(),
            answer: Some(answer.to_owned()),
            usage: None,
        });
    }

    pub(super) fn done(&mut self, response: usize, status: u8) {
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

    pub(super) fn refused(&mut self, is_busy: bool, is_named: bool) {
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

    pub(super) fn answer(&mut self, millis: u16, heard: u16, is_over: bool) {
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

    pub(super) fn audio_new(&mut self, back: u8, millis: u16) {
        if let Some(response) = self.recent_response(back) {
            self.items.push(Item {
                response,
                ..Item::default()
            });
            self.audio(self.items.len() - 1, millis);
        }
    }

    pub(super) fn audio_more(&mut self, back: u8, millis: u16) {
        if let Some(item) = self.recent(self.items.len(), back) {
            self.audio(item, millis);
        }
    }

    pub(super) fn audio(&mut self, index: usize, millis: u16) {
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

    pub(super) fn audio_done(&mut self, back: u8) {
        if let Some(index) = self.recent_item(back) {
            self.items[index].is_complete = true;
            let response = response_id(self.items[index].response);
            self.model(Event::AudioDone {
                response,
                item: item_id(index),
            });
        }
    }

    pub(super) fn text(&mut self, back: u8) {
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

    /// A paused voice begins nothing and moves nothing.
    pub(super) fn start(&mut self, back: u8) {
        if self.is_paused {
            return;
        }
        if let Some(index) = self.recent(self.items.len(), back) {
            self.items[index].is_started = true;
            let response = response_id(self.items[index].response);
            self.tell(Input::Playout(Playout::Started {
                response,
                item: item_id(index),
            }));
        }
    }

    pub(super) fn advance(&mut self, back: u8, millis: u16) {
        let Some(index) = self
            .recent(self.items.len(), back)
            .filter(|_| !self.is_paused)
        else {
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

    pub(super) fn flushed(&mut self) {
        let Some(keep) = self.flushes.pop_front() else {
            return;
        };
        let is_cut = |item: &Item| !item.is_settled && Some(item.response) != keep;
        let open = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| is_cut(item));
        let cut = open.map(|(index, item)| item.heard(index)).collect();
        self.tell(Input::Playout(Playout::Flushed { cut }));
    }

    pub(super) fn call(&mut self, back: u8, is_whole: bool) {
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

    /// The provider asks for a call of its own.
    pub(super) fn call_of_provider(&mut self, back: u8) {
        let Some(response) = self.recent_response(back) else {
            return;
        };
        let call = call_id(self.calls);
        self.calls += 1;
        self.model(Event::ApprovalRequested {
            response: response_id(response),
            call,
            name: "server-tool".to_owned(),
            arguments: "{}".to_owned(),
        });
    }

    pub(super) fn tool_approved(&mut self, back: u8) {
        if let Some(call) = self.recent(self.calls, back) {
            let call = call_id(call);
            self.tell(Input::ToolApproved { call });
        }
    }

    pub(super) fn mcp_call_done(&mut self, back: u8) {
        if let Some(call) = self.recent(self.calls, back) {
            let (call, end) = (call_id(call), McpEnd::Answered("ok".to_owned()));
            self.model(Event::McpCallDone { call, end });
        }
    }

    pub(super) fn tool_finished(&mut self, back: u8, ends: bool) {
        if let Some(call) = self.recent(self.calls, back) {
            self.tool_finished_by_id(call, ends);
        }
    }

    pub(super) fn tool_finished_by_id(&mut self, call: usize, ends: bool) {
        let then = if ends {
            AfterTool::EndConversation
        } else {
            AfterTool::Continue
        };
        let (call, output) = (call_id(call), "ok".to_owned());
        self.tell(Input::ToolFinished { call, output, then });
    }

    /// One of the newest responses of this connection.
    pub(super) fn recent_response(&self, back: u8) -> Option<usize> {
        self.recent(self.responses, back)
            .filter(|response| *response >= self.first_response)
    }

    /// One of the newest items of this connection.
    pub(super) fn recent_item(&self, back: u8) -> Option<usize> {
        let index = self.recent(self.items.len(), back)?;
        (!self.items[index].is_of_lost_link).then_some(index)
    }

    /// One of the three newest.
    pub(super) fn recent(&self, count: usize, back: u8) -> Option<usize> {
        count.checked_sub(1 + usize::from(back % 3))
    }
}
