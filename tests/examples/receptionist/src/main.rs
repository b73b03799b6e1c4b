//! Adapter: the example's booking service as a program.
//!
//!     booking-service FILE [--port 8091]
//!
//! It holds the appointment book of a practice in one SQLite file, listens on loopback only, and may be
//! killed at any moment: what it has answered is on disk. It is what a practice has already; the agent
//! reaches it through two tools and knows nothing else of it.

mod book;
mod calendar;
mod service;

use std::{
    error::Error,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use clap::Parser;
use tokio::net::TcpListener;

use book::Book;

/// The appointment book of a practice, over HTTP on loopback.
#[derive(Parser)]
#[command(name = "booking-service", version)]
struct Arguments {
    /// The SQLite file; made when it is not there.
    file: PathBuf,
    /// Port to listen on; 0 takes any free one.
    #[arg(long, default_value_t = 8091)]
    port: u16,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments { file, port } = Arguments::parse();
    match serve(&file, port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("booking-service: {}: {error}", file.display());
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "the one line that tells where to connect"
)]
async fn serve(file: &Path, port: u16) -> Result<(), Box<dyn Error>> {
    let mut book = Book::open(file)?;
    book.offer(&calendar::coming(SystemTime::now().into()))?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on {}", listener.local_addr()?.port());
    axum::serve(listener, service::router(book)).await?;
    Ok(())
}
