//! Core: the calls the model made: which run, which are answered, when it is asked to carry on.
//!
//! Owns that a call runs at most once, and that one continuation follows a response with calls:
//! after it is over and after all its outputs are in. Does not know what tools do.

use std::{collections::VecDeque, time::Instant};

use crate::{
    model::{CallId, ResponseId},
    output::ToolCall,
};

/// Calls that may be open at once; a model that makes more is out of its mind.
const OPEN: usize = 32;
/// Ids of earlier calls that are remembered, so that none runs twice.
const REMEMBERED: usize = 256;

#[derive(Debug)]
enum State {
    /// Its arguments are no complete JSON; whether it runs depends on how the response ends.
    Held(ToolCall),
    Running {
        since: Instant,
    },
    Answered,
}

#[derive(Debug)]
struct Open {
    call: CallId,
    name: String,
    response: ResponseId,
    state: State,
    is_response_over: bool,
    /// The connection that made the call is gone: its id means nothing to the next one.
    is_stale: bool,
}

/// All calls that are not yet settled.
#[derive(Debug, Default)]
pub(crate) struct ToolCalls {
    open: Vec<Open>,
    seen: VecDeque<CallId>,
}

/// What becomes of a call that arrived.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// It waits for the end of its response.
    Held,
    Repeated,
    Run(ToolCall),
    TooMany,
}

/// A call that was answered.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) name: String,
    pub(crate) response: ResponseId,
    pub(crate) since: Instant,
    pub(crate) is_stale: bool,
}

impl ToolCalls {
    /// The model made a call. One that may not run yet waits for the end of its response.
    pub(crate) fn arrive(
        &mut self,
        now: Instant,
        response: &ResponseId,
        is_response_over: bool,
        may_run: bool,
        call: ToolCall,
    ) -> Arrival {
        if self.seen.contains(&call.call) {
            return Arrival::Repeated;
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(call.call.clone());
        if self.open.len() == OPEN {
            return Arrival::TooMany;
        }
        let may_run = may_run && (is_response_over || is_whole_object(&call.arguments));
        let state = if may_run {
            State::Running { since: now }
        } else {
            State::Held(call.clone())
        };
        self.open.push(Open {
            call: call.call.clone(),
            name: call.name.clone(),
            response: response.clone(),
            state,
            is_response_over,
            is_stale: false,
        });
        if may_run {
            Arrival::Run(call)
        } else {
            Arrival::Held
        }
    }

    /// A response ended by itself. Returns the held calls: they run after all, so that the model
    /// is told what is wrong with its arguments.
    pub(crate) fn complete(&mut self, now: Instant, response: &ResponseId) -> Vec<ToolCall> {
        let mut released = Vec::new();
        for open in self
            .open
            .iter_mut()
            .filter(|open| open.response == *response)
        {
            open.is_response_over = true;
            if let State::Held(call) = &open.state {
                released.push(call.clone());
                open.state = State::Running { since: now };
            }
        }
        released
    }

    /// A response was cut short. Returns how many held calls are dropped with it; what runs
    /// already goes on.
    pub(crate) fn cut_short(&mut self, response: &ResponseId) -> usize {
        let before = self.open.len();
        self.open.retain_mut(|open| {
            let is_of_it = open.response == *response;
            open.is_response_over |= is_of_it;
            !(is_of_it && matches!(open.state, State::Held(_)))
        });
        before - self.open.len()
    }

    /// A tool answered; `None` = no such call is running.
    pub(crate) fn finish(&mut self, call: &CallId) -> Option<Finished> {
        let open = self.open.iter_mut().find(|open| open.call == *call)?;
        let State::Running { since } = open.state else {
            return None;
        };
        open.state = State::Answered;
        Some(Finished {
            name: open.name.clone(),
            response: open.response.clone(),
            since,
            is_stale: open.is_stale,
        })
    }

    /// Lets go of every response that is over and has all its answers. Returns whether there was
    /// one: then the model is to carry on.
    pub(crate) fn settle(&mut self) -> bool {
        let unsettled: Vec<ResponseId> = self
            .open
            .iter()
            .filter(|open| !open.is_response_over || !matches!(open.state, State::Answered))
            .map(|open| open.response.clone())
            .collect();
        let before = self.open.len();
        self.open.retain(|open| unsettled.contains(&open.response));
        self.open.len() < before
    }

    /// The connection is gone; what runs goes on and is told to the next one in other words.
    pub(crate) fn disconnect(&mut self) {
        self.open.retain_mut(|open| {
            open.is_response_over = true;
            open.is_stale = true;
            !matches!(open.state, State::Held(_))
        });
    }

    /// Gives up everything; returns what must be stopped.
    pub(crate) fn abandon(&mut self) -> Vec<CallId> {
        let open = std::mem::take(&mut self.open);
        let running = open
            .into_iter()
            .filter(|open| matches!(open.state, State::Running { .. }));
        running.map(|open| open.call).collect()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.open
            .iter()
            .any(|open| matches!(open.state, State::Running { .. }))
    }
}

/// Whether a JSON object closes all that it opens. A call that was cut off in mid-sentence does
/// not; everything else about the arguments is the tool plane's business.
fn is_whole_object(text: &str) -> bool {
    let text = text.trim();
    if !text.starts_with('{') {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index + 1 == text.len();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::is_whole_object;

    #[test]
    fn arguments_that_were_cut_off_are_recognised() {
        for whole in ["{}", r#" {"a":{"b":[1,2]}} "#, r#"{"a":"}\"{"}"#] {
            assert!(is_whole_object(whole), "{whole}");
        }
        for cut in [
            "",
            "{",
            r#"{"a":"}"#,
            r#"{"a":[1,2}"#,
            r#"{"a":"b\"}"#,
            "{} {}",
            "7",
        ] {
            assert!(!is_whole_object(cut), "{cut}");
        }
    }
}
