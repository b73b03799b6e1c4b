//! Ring: hermetic. Calls through the gateway, under tokio's paused clock.

mod cancellation;
mod limits;
mod order;
mod probe;
mod refusals;
