//! End-to-end: a real LiveKit server, the simulated model, the worker as a child process, and
//! people who listen. Run with `cargo test -p tests --test e2e -- --test-threads=1`.
//!
//! Every waiting has a condition and a deadline; no test asserts how long something took.

mod barge_in;
mod books;
mod chat;
mod commands;
mod discloses;
mod drains;
mod echoes;
mod encrypted;
mod ends;
mod engine;
mod false_interruption;
mod floods;
mod isolates;
mod joins;
mod leaves;
mod limits;
mod many_voices;
mod mcp;
mod metrics;
mod pictures;
mod press;
mod reconnects;
mod rehearsal;
mod remote;
mod rotates;
mod sent_away;
mod story;
mod strangers;
mod survives;
mod talks;
mod tools;
