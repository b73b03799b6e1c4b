//! What the stories have in common: deadlines, and a caller who has been greeted.

use std::time::{Duration, Instant};

use tests::{
    eventually::{eventually, eventually_async},
    livekit_server::LivekitServer,
    stack::Stack,
    user::User,
};

/// Longer than anything takes that should happen at once, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(15);
/// Longer than a retry with backoff takes.
pub(crate) const LATER: Duration = Duration::from_secs(40);
/// A pause that is not part of speech.
pub(crate) const QUIET: Duration = Duration::from_millis(900);

/// A caller who has joined, heard the greeting to its end, and knows the agent's identity.
pub(crate) async fn greeted(stack: &Stack, identity: &str, room: &str) -> (User, String) {
    let joining = Instant::now();
    let user = stack.caller(identity, room).await;
    user.hears("agent-greeting", joining, SOON).await;
    user.hears_silence(QUIET, SOON).await;
    let agent = user.agents().pop().expect("who greets is there");
    (user, agent)
}

/// Waits until the worker's log has a line with these words.
pub(crate) async fn says(stack: &Stack, words: &[&str], within: Duration) {
    eventually(&format!("the worker says {words:?}"), within, || {
        stack.worker.log().expect(words)
    })
    .await;
}

/// How a job ended, as our worker told the server.
#[derive(Debug)]
pub(crate) struct JobEnd {
    /// It failed, or it succeeded.
    pub(crate) failed: bool,
    /// The server's line about it, with the error.
    pub(crate) line: String,
}

/// Waits until the worker has reported the end of a job of this room. The server's log tells: its
/// API goes on listing ended jobs as running.
pub(crate) async fn job_over(livekit: &LivekitServer, room: &str) -> JobEnd {
    eventually_async(
        "the end of a job of the room is reported",
        LATER,
        || async {
            let jobs = jobs_of(livekit, room).await?;
            let line = jobs
                .iter()
                .find_map(|job| livekit.lines().find(&["job ended", job]));
            let line = line.ok_or_else(|| format!("{jobs:?} go on"))?;
            Ok(JobEnd {
                failed: line.contains("JS_FAILED"),
                line,
            })
        },
    )
    .await
}

/// Ids of all jobs of a room.
async fn jobs_of(livekit: &LivekitServer, room: &str) -> Result<Vec<String>, String> {
    let dispatches = livekit
        .dispatches()
        .list_dispatch(room)
        .await
        .map_err(|e| e.to_string())?;
    let jobs = dispatches
        .into_iter()
        .filter_map(|dispatch| dispatch.state)
        .flat_map(|s| s.jobs);
    Ok(jobs.map(|job| job.id).collect())
}
