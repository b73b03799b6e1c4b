//! Ring: hermetic. Calls through the gateway, under tokio's paused clock.

mod agreement;
mod cancellation;
mod duplicates;
mod foreseen;
mod limits;
mod order;
mod policy;
mod probe;
mod record;
mod refusals;
