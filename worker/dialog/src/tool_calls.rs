//! Core: the calls the model made: which run, which are answered, when it is asked to carry on.
//!
//! Owns that a call runs at most once, and that one continuation follows a response with calls:
//! after it is over and after all its outputs are in. Does not know what tools do.

use std::{collections::VecDeque, time::Instant};

use crate::{
    model::{CallId, ResponseId},
    output::{RunBy, ToolCall},
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
        run: Run,
    },
    Answered,
}

/// Where a running call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// The worker runs it.
    Here,
    /// The provider may run it.
    Approved,
    /// The provider has run it, and the model knows what came of it.
    Ended,
    /// The provider waits to hear whether it may.
    Waiting,
}

impl Run {
    fn of(call: &ToolCall) -> Self {
        match call.run_by {
            RunBy::Provider => Self::Waiting,
            RunBy::Worker => Self::Here,
        }
    }
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

impl Open {
    fn is_run_by_provider(&self) -> bool {
        let State::Running { run, .. } = self.state else {
            return false;
        };
        run == Run::Approved
    }
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
    pub(crate) owes: Owes,
}

/// How the model gets to know of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owes {
    /// The provider is told that it may not run it, and why.
    Denial,
    /// The provider has told it.
    Nothing,
    /// By the output of its call.
    Output,
    /// In other words: it has never heard of the call, or of its end.
    Words,
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
            let run = Run::of(&call);
            State::Running { since: now, run }
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
                let run = Run::of(call);
                released.push(call.clone());
                open.state = State::Running { since: now, run };
            }
        }
        released
    }

    /// A response was cut short. Returns the held calls, which are dropped with it; what runs
    /// already goes on.
    pub(crate) fn cut_short(&mut self, response: &ResponseId) -> Vec<ToolCall> {
        let mut dropped = Vec::new();
        self.open.retain_mut(|open| {
            let is_of_it = open.response == *response;
            open.is_response_over |= is_of_it;
            match &open.state {
                State::Held(call) if is_of_it => {
                    dropped.push(call.clone());
                    false
                }
                _ => true,
            }
        });
        dropped
    }

    /// A call of this response runs.
    pub(crate) fn runs_any_of(&self, response: &ResponseId) -> bool {
        let runs = |open: &Open| matches!(open.state, State::Running { .. });
        self.open
            .iter()
            .any(|open| open.response == *response && runs(open))
    }

    /// A tool answered; `None` = no such call is running.
    pub(crate) fn finish(&mut self, call: &CallId) -> Option<Finished> {
        let open = self.open.iter_mut().find(|open| open.call == *call)?;
        let State::Running { since, run } = open.state else {
            return None;
        };
        open.state = State::Answered;
        Some(Finished {
            name: open.name.clone(),
            response: open.response.clone(),
            since,
            owes: match run {
                _ if open.is_stale => Owes::Words,
                Run::Here => Owes::Output,
                Run::Approved => Owes::Words,
                Run::Ended => Owes::Nothing,
                Run::Waiting => Owes::Denial,
            },
        })
    }

    /// The provider may run this call. Returns whether it waits to hear so.
    pub(crate) fn approve(&mut self, call: &CallId) -> bool {
        self.go_on(call, Run::Waiting, Run::Approved)
    }

    /// The provider has run this call.
    pub(crate) fn end_there(&mut self, call: &CallId) {
        self.go_on(call, Run::Approved, Run::Ended);
    }

    fn go_on(&mut self, call: &CallId, from: Run, to: Run) -> bool {
        let mut open = self.open.iter_mut();
        let of_it = open.find(|open| open.call == *call && !open.is_stale);
        let Some(State::Running { run, .. }) = of_it.map(|open| &mut open.state) else {
            return false;
        };
        let is_so = *run == from;
        if is_so {
            *run = to;
        }
        is_so
    }

    /// The provider runs a call that it was allowed to.
    pub(crate) fn is_at_provider(&self) -> bool {
        self.open
            .iter()
            .any(|open| !open.is_stale && open.is_run_by_provider())
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

    /// The connection is gone; what runs goes on and is told to the next one in other words. Returns what
    /// the provider ran: nobody will tell how that ends.
    pub(crate) fn disconnect(&mut self) -> Vec<CallId> {
        let mut lost = Vec::new();
        self.open.retain_mut(|open| {
            if !open.is_stale && open.is_run_by_provider() {
                lost.push(open.call.clone());
            }
            open.is_response_over = true;
            open.is_stale = true;
            !matches!(open.state, State::Held(_))
        });
        lost
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
