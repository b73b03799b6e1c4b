//! The binary: one crypto provider for the process, then the command line.

use std::process::ExitCode;

use room_agent::cli;

fn main() -> ExitCode {
    // Two providers are compiled in; without a default, TLS would panic at its first use.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    cli::main().into()
}
