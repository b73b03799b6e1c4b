//! Adapter: calls that wait for a supervisor: what is asked, who waits, and who has answered.
//!
//! One list for the whole worker, because supervisors ask the worker and not a session. It knows nothing
//! of grants: who may answer was checked before. What is shown of a call is redacted.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tools::approval::{Approver, Request, Verdict};

use crate::{
    audit::{Audit, Kind, Record},
    redaction,
    telemetry::Pii,
};

/// Calls that wait at once on this worker; one more is refused as if there were nobody to ask.
const MOST_OPEN: usize = 256;

/// The open questions of this worker; cheap to clone.
#[derive(Clone, Default)]
pub struct Approvals(Arc<Mutex<BTreeMap<String, Open>>>);

struct Open {
    room: Pii<String>,
    shown: Shown,
    answer: oneshot::Sender<bool>,
}

/// What a supervisor is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// Names the question; hard to guess.
    pub id: String,
    /// Id of the job.
    pub session: String,
    /// The tool.
    pub tool: String,
    /// Its arguments, redacted.
    pub arguments: Value,
    /// What the rule says about it.
    pub question: String,
    /// Milliseconds since 1970 until which it can be answered.
    pub until_ms: u64,
}

/// There is no such question, or it was answered, or its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing of that id waits for an answer in this room")]
pub struct NotOpen;

impl Approvals {
    /// What waits in this room, oldest first.
    pub fn open_in(&self, room: &str) -> Vec<Shown> {
        let open = self.0.lock();
        let here = open.values().filter(|open| open.room.expose() == room);
        let mut shown: Vec<Shown> = here.map(|open| open.shown.clone()).collect();
        shown.sort_by_key(|shown| shown.until_ms);
        shown
    }

    /// The room of a question, and its session.
    pub fn place_of(&self, id: &str) -> Option<(Pii<String>, String)> {
        let open = self.0.lock();
        let asked = open.get(id)?;
        Some((asked.room.clone(), asked.shown.session.clone()))
    }

    /// Answers a question; whoever asks may.
    ///
    /// # Errors
    /// When it is not open in this room.
    pub fn judge(&self, room: &str, id: &str, is_approved: bool) -> Result<(), NotOpen> {
        let mut open = self.0.lock();
        let is_here = |open: &Open| open.room.expose() == room;
        if !open.get(id).is_some_and(is_here) {
            return Err(NotOpen);
        }
        let asked = open.remove(id).ok_or(NotOpen)?;
        asked.answer.send(is_approved).map_err(|_| NotOpen)
    }

    /// Asks on behalf of one session.
    pub fn desk(&self, room: Pii<String>, session: &str, audit: Audit) -> Desk {
        Desk {
            approvals: self.clone(),
            room,
            session: session.to_owned(),
            audit,
        }
    }
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Approvals({} open)", self.0.lock().len())
    }
}

/// Asks supervisors about the calls of one session.
#[derive(Debug)]
pub struct Desk {
    approvals: Approvals,
    room: Pii<String>,
    session: String,
    audit: Audit,
}

/// Takes its question off the list, however the waiting ends.
struct Listed<'a> {
    approvals: &'a Approvals,
    id: String,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.approvals.0.lock().remove(&self.id);
    }
}

impl Desk {
    fn list(&self, request: &Request<'_>) -> Option<(Listed<'_>, oneshot::Receiver<bool>)> {
        let id = format!("{:016x}", rand::random::<u64>());
        let mut arguments = request.arguments.clone();
        redaction::json(&mut arguments);
        let shown = Shown {
            id: id.clone(),
            session: self.session.clone(),
            tool: request.tool.to_string(),
            arguments,
            question: request.question.to_owned(),
            until_ms: ms_from_now(request.within),
        };
        let (answer, answered) = oneshot::channel();
        let mut open = self.approvals.0.lock();
        if open.len() >= MOST_OPEN {
            return None;
        }
        let asked = Open {
            room: self.room.clone(),
            shown,
            answer,
        };
        open.insert(id.clone(), asked);
        let approvals = &self.approvals;
        Some((Listed { approvals, id }, answered))
    }

    async fn record(&self, request: &Request<'_>, verdict: Verdict) -> Result<(), ()> {
        let word = match verdict {
            Verdict::Approved => "approved",
            Verdict::Declined => "declined",
            Verdict::Silence => "silence",
            Verdict::Nobody => "nobody",
        };
        let record = Record {
            session: self.session.clone(),
            kind: Kind::ToolApproval,
            data: json!({"tool": request.tool.as_str(), "outcome": word}),
        };
        self.audit.commit(record).await.map_err(|_| ())
    }
}

#[async_trait]
impl Approver for Desk {
    async fn approve(&self, request: Request<'_>) -> Verdict {
        let Some((listed, answered)) = self.list(&request) else {
            return Verdict::Nobody;
        };
        tracing::info!(tool = %request.tool, id = listed.id, "a call waits for a supervisor");
        let verdict = match tokio::time::timeout(request.within, answered).await {
            Ok(Ok(true)) => Verdict::Approved,
            Ok(Ok(false)) => Verdict::Declined,
            Ok(Err(_)) | Err(_) => Verdict::Silence,
        };
        drop(listed);
        match self.record(&request, verdict).await {
            Ok(()) => verdict,
            // An approval nobody can prove is none.
            Err(()) => Verdict::Nobody,
        }
    }
}

fn ms_from_now(within: Duration) -> u64 {
    let until = SystemTime::now() + within;
    let since = until.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tools::{CallId, ToolName};

    use super::*;

    async fn ask(approvals: &Approvals, within: Duration) -> Verdict {
        let desk = approvals.desk(Pii::new("kitchen".to_owned()), "job", Audit::default());
        let tool = ToolName::parse("refund").unwrap();
        let arguments = json!({"to": "jane@example.com", "amount": 5});
        let request = Request {
            call: &CallId::new("c1"),
            tool: &tool,
            arguments: &arguments,
            question: "Refund five?",
            within,
        };
        desk.approve(request).await
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn whoever_is_asked_sees_a_redacted_call_and_their_word_counts_once() {
        for (word, verdict) in [(true, Verdict::Approved), (false, Verdict::Declined)] {
            let approvals = Approvals::default();
            let judging = async {
                tokio::task::yield_now().await;
                assert!(approvals.open_in("garden").is_empty());
                let shown = approvals.open_in("kitchen").remove(0);
                assert_eq!(shown.arguments, json!({"to": "[e-mail]", "amount": 5}));
                assert_eq!(approvals.judge("garden", &shown.id, true), Err(NotOpen));
                assert_eq!(approvals.judge("kitchen", "other", true), Err(NotOpen));
                assert_eq!(approvals.judge("kitchen", &shown.id, word), Ok(()));
                assert_eq!(approvals.judge("kitchen", &shown.id, true), Err(NotOpen));
            };
            let (found, ()) = tokio::join!(ask(&approvals, MINUTE), judging);
            assert_eq!(found, verdict);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_nobody_answers_and_one_that_is_called_off_leave_the_list() {
        let approvals = Approvals::default();
        assert_eq!(ask(&approvals, MINUTE).await, Verdict::Silence);
        assert!(approvals.open_in("kitchen").is_empty());
        let called_off = tokio::time::timeout(MINUTE / 2, ask(&approvals, MINUTE)).await;
        assert!(called_off.is_err());
        assert!(approvals.open_in("kitchen").is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_questions_are_not_asked() {
        let approvals = Approvals::default();
        let all: Vec<_> = (0..=MOST_OPEN).map(|_| ask(&approvals, MINUTE)).collect();
        let verdicts = futures_util::future::join_all(all).await;
        let nobody = verdicts
            .iter()
            .filter(|verdict| **verdict == Verdict::Nobody);
        assert_eq!(nobody.count(), 1);
    }
}
