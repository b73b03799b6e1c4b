//! Five hundred callers come and go: every one is greeted, and the worker's memory stays flat.
//!
//! Run by name: `cargo test -p tests --test churn`. `CHURN_CYCLES` sets another number.

use std::time::{Duration, Instant};

use tests::{eventually::eventually_async, sim_model::Script, stack::Stack};

const SOON: Duration = Duration::from_secs(20);
/// After this many cycles everything that is allocated once has been.
const WARM: usize = 50;
/// Allowed growth from then on: allocators and counters, not sessions.
const GROWTH: u64 = 12 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_callers_come_and_go_without_a_failure_and_without_growth() {
    let cycles = std::env::var("CHURN_CYCLES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(500);
    let script = Script {
        reply_after: Duration::from_millis(20),
        ..Script::default()
    };
    let stack = Stack::with(script, |settings| {
        settings
            .with("ROOM_AGENT__LOG__LEVEL", "warn")
            .with("ROOM_AGENT__WORKER__SLOTS", "50")
    })
    .await;
    let mut warm = None;
    for cycle in 0..cycles {
        one_call(&stack, cycle).await;
        if cycle == WARM {
            no_session_is_left(&stack).await;
            warm = stack.worker.resident();
        }
    }
    no_session_is_left(&stack).await;
    let panics = stack.worker.metric("room_agent_session_panics_total").await;
    assert_eq!(panics, Some(0.0));
    let (Some(warm), Some(now)) = (warm, stack.worker.resident()) else {
        return;
    };
    assert!(
        now < warm + GROWTH,
        "resident: {warm} bytes when warm, {now} at the end"
    );
}

async fn one_call(stack: &Stack, cycle: usize) {
    let caller = stack.caller("ann", &format!("room-{cycle}")).await;
    let joined = Instant::now();
    eventually_async(
        &format!("call {cycle}: the agent is heard"),
        SOON,
        || async {
            let heard = caller.recording().since(joined);
            match tests::ears::first_sound(&heard.pcm, Duration::ZERO) {
                Some(_) => Ok(()),
                None => Err(format!("{:?}", caller.agents())),
            }
        },
    )
    .await;
    caller.leave().await;
}

async fn no_session_is_left(stack: &Stack) {
    eventually_async("no session is left", 3 * SOON, || async {
        match stack.worker.metric("room_agent_sessions_active").await {
            Some(0.0) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}
