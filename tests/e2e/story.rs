//! What the stories have in common: deadlines, and a caller who has been greeted.

use std::time::{Duration, Instant};

use livekit_protocol::{JobState, JobStatus};
use tests::{
    eventually::eventually_async, livekit_server::LivekitServer, stack::Stack, user::User,
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

/// Waits until a job of this room is over and hands its state back.
pub(crate) async fn job_over(livekit: &LivekitServer, room: &str) -> JobState {
    eventually_async("a job of the room is over", LATER, || async {
        let states = job_states(livekit, room).await?;
        let is_over =
            |state: &JobState| matches!(state.status(), JobStatus::JsFailed | JobStatus::JsSuccess);
        states
            .iter()
            .find(|state| is_over(state))
            .cloned()
            .ok_or_else(|| format!("{states:?}"))
    })
    .await
}

/// The states of all jobs of a room, as the server knows them.
pub(crate) async fn job_states(
    livekit: &LivekitServer,
    room: &str,
) -> Result<Vec<JobState>, String> {
    let dispatches = livekit
        .dispatches()
        .list_dispatch(room)
        .await
        .map_err(|e| e.to_string())?;
    let jobs = dispatches
        .into_iter()
        .filter_map(|dispatch| dispatch.state)
        .flat_map(|s| s.jobs);
    Ok(jobs.filter_map(|job| job.state).collect())
}
