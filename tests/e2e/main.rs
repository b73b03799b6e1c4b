//! End-to-end: a real LiveKit server, the simulated model, the worker as a child process, and
//! people who listen. Run with `cargo test -p tests --test e2e -- --test-threads=1`.

mod talks;
