//! The only waiting function of the tests: a condition, a deadline, and an explanation.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// How often the condition is looked at: finer than what people notice.
const TICK: Duration = Duration::from_millis(25);

/// Waits until `probe` finds something. `what` says what is waited for.
///
/// # Panics
/// When the deadline passes; the message names `what` and the last thing `probe` saw.
pub async fn eventually<T>(
    what: &str,
    within: Duration,
    mut probe: impl FnMut() -> Result<T, String>,
) -> T {
    eventually_async(what, within, || std::future::ready(probe())).await
}

/// The same for a condition that must itself wait, such as a request.
///
/// # Panics
/// As [`eventually`].
pub async fn eventually_async<T, F>(what: &str, within: Duration, mut probe: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + within;
    loop {
        let seen = match probe().await {
            Ok(found) => return found,
            Err(seen) => seen,
        };
        assert!(
            Instant::now() < deadline,
            "not within {within:?}: {what}; last seen: {seen}"
        );
        tokio::time::sleep(TICK).await;
    }
}

/// Is it so? For conditions without anything to hand back.
///
/// # Errors
/// `seen`, when it is not.
pub fn expect(is_so: bool, seen: impl Into<String>) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(seen.into()) }
}
