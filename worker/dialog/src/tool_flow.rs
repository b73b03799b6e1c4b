//! Core: what the model's calls, and their ends, mean to a conversation.
//!
//! A call of the provider's own is one like any other, but for who runs it: the model is told that it may be run
//! instead of what came of it, because that it hears from the provider.

use std::time::Instant;

use crate::{
    Dialog, Output,
    floor::Request,
    input::AfterTool,
    model::{CallId, McpEnd, NewItem, Order, ResponseId},
    note::Note,
    output::{RunBy, ToolCall},
    response::Standing,
    tool_calls::{Arrival, Owes},
};

impl Dialog {
    pub(crate) fn on_call(&mut self, now: Instant, call: ToolCall) {
        let response = &call.response.clone();
        if self.responses.standing(response) == Standing::Unknown {
            self.on_created(now, response.clone(), None);
        }
        let standing = self.responses.standing(response);
        if standing == Standing::Stopped || self.closing.is_some() {
            return self.drop_call(call, "interrupted");
        }
        if let Some(live) = &mut self.responses.live {
            let is_first = !std::mem::replace(&mut live.has_content, true);
            live.last_sign = now;
            if is_first && live.is_answer() {
                self.conversation.settle();
            }
        }
        let (id, run_by) = (call.call.clone(), call.run_by);
        let is_over = standing == Standing::Over;
        let may_run = !self.is_doubtful(response);
        match self.calls.arrive(now, response, is_over, may_run, call) {
            Arrival::Held => {}
            Arrival::Repeated => self.note(Note::CallDropped { why: "repeated" }),
            Arrival::Run(call) => self.outputs.push_back(Output::RunTool(call)),
            Arrival::TooMany => {
                self.note(Note::CallDropped { why: "too many" });
                let output = "not run: too many calls at once".to_owned();
                self.order(Order::Item(match run_by {
                    RunBy::Provider => denial(id, output),
                    RunBy::Worker => NewItem::FunctionOutput { call: id, output },
                }));
            }
        }
    }

    /// A response was cut short, and with it the calls that waited for its end.
    pub(crate) fn cut_calls_short(&mut self, response: &ResponseId) {
        for call in self.calls.cut_short(response) {
            self.drop_call(call, "incomplete");
        }
    }

    /// Nobody runs it. The model knows that it was interrupted; the provider waits for a word.
    fn drop_call(&mut self, call: ToolCall, why: &'static str) {
        if call.run_by == RunBy::Provider && self.link.is_up() {
            let why = "not run: you were interrupted".to_owned();
            self.order(Order::Item(denial(call.call, why)));
        }
        self.note(Note::CallDropped { why });
    }

    /// The call may run where it waits; one that waits no more never will.
    pub(crate) fn on_tool_approved(&mut self, call: &CallId) {
        let call = call.clone();
        if self.closing.is_none() && self.calls.approve(&call) {
            let denial = None;
            self.order(Order::Item(NewItem::Approval { call, denial }));
        } else {
            let end = McpEnd::Unsent;
            self.outputs.push_back(Output::McpCallDone { call, end });
        }
    }

    /// The connection that made the open calls is gone.
    pub(crate) fn disconnect_calls(&mut self) {
        for call in self.calls.disconnect() {
            let end = McpEnd::Lost;
            self.outputs.push_back(Output::McpCallDone { call, end });
        }
    }

    pub(crate) fn on_tool_finished(
        &mut self,
        now: Instant,
        call: &CallId,
        output: String,
        then: AfterTool,
    ) {
        let Some(finished) = self.calls.finish(call) else {
            return self.note_unexpected("answer of an unknown call");
        };
        self.note(Note::ToolAnswered {
            took: now.saturating_duration_since(finished.since),
        });
        self.conversation.tool_answered(&finished.name, &output);
        let call = call.clone();
        let item = match finished.owes {
            Owes::Denial => Some(denial(call, output)),
            Owes::Nothing => None,
            Owes::Output => Some(NewItem::FunctionOutput { call, output }),
            Owes::Words => Some(NewItem::SystemText(format!(
                "A tool answered. {}: {output}",
                finished.name
            ))),
        };
        if let Some(item) = item
            && self.link.is_up()
        {
            self.order(Order::Item(item));
        }
        // Who speaks up while the tool runs has not finished: hanging up now would be rude.
        if then == AfterTool::EndConversation && !self.user.holds_floor() {
            self.end_unless_interrupted(now, finished.response);
        }
        self.carry_on_after_tools();
    }

    /// One continuation follows a response with calls, when all is in.
    pub(crate) fn carry_on_after_tools(&mut self) {
        if self.calls.settle() && self.closing.is_none() {
            self.floor.want(Request::reply(self.user.next_to_end()));
        }
    }
}

fn denial(call: CallId, why: String) -> NewItem {
    let denial = Some(why);
    NewItem::Approval { call, denial }
}
