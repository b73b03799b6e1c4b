//! Thread: the worker's HTTP listeners, with a small runtime of their own, so that probes are
//! answered while everything else is busy.
//!
//! Owns the sockets of admin and console. It reads watches and sends one wish (drain); it never
//! takes part in a session.

pub mod routes;
#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, thread};

use axum::Router;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// The `[admin]` table.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address and port of the listener for probes, metrics and drain. Default: 0.0.0.0:8081.
    #[schemars(extend("format" = "listen-address"))]
    pub listen: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8081".to_owned(),
        }
    }
}

/// A bound socket and what answers on it.
#[derive(Debug)]
pub struct Listener {
    socket: std::net::TcpListener,
    /// Where it really listens.
    pub address: SocketAddr,
}

impl Listener {
    /// Binds the address.
    ///
    /// # Errors
    /// When it is taken or not ours.
    pub fn bind(address: &str) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address })
    }
}

/// Starts the thread; it serves until the token is cancelled.
///
/// # Errors
/// When the system gives no thread.
pub fn start(servers: Vec<(Listener, Router)>, stop: CancellationToken) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || {
            let mut tasks = tokio::task::JoinSet::new();
            runtime.block_on(async {
                for (listener, router) in servers {
                    tasks.spawn(serve(listener, router));
                }
                stop.cancelled().await;
            });
        })?;
    Ok(())
}

async fn serve(listener: Listener, router: Router) {
    let socket = match tokio::net::TcpListener::from_std(listener.socket) {
        Ok(socket) => socket,
        Err(error) => return tracing::error!(%error, "a listener cannot be served"),
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(socket, service).await {
        tracing::error!(%error, "a listener ended");
    }
}
