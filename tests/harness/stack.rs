//! Everything a conversation needs, brought up together and torn down together.

use std::net::{Ipv4Addr, SocketAddr};

use crate::{
    faults::{impairment::Impairment, relay::UdpRelay},
    livekit_server::{LivekitServer, Pass},
    sim_model::{Script, SimModel},
    user::User,
    worker::{Settings, Worker},
};

/// A real LiveKit server, the simulated model and our worker.
pub struct Stack {
    /// Our worker.
    pub worker: Worker,
    /// The model it talks to.
    pub model: SimModel,
    /// The server both join.
    pub livekit: LivekitServer,
}

impl Stack {
    /// Brings everything up with default settings; ready for callers.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn start() -> Self {
        Self::with(Script::default(), |settings| settings).await
    }

    /// The same with other behaviour of the model and other settings of the worker.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn with(script: Script, change: impl FnOnce(Settings) -> Settings) -> Self {
        let livekit = LivekitServer::start().await;
        let model = simulated_model(script).await;
        let settings = change(Settings::new(&livekit.url(), &model.url()));
        let worker = Worker::ready(&settings).await;
        Self {
            worker,
            model,
            livekit,
        }
    }

    /// The same with a worker that reaches this server at another address.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn through(livekit: LivekitServer, address: SocketAddr) -> Self {
        let model = simulated_model(Script::default()).await;
        let settings = Settings::new(&format!("ws://{address}"), &model.url());
        let worker = Worker::ready(&settings).await;
        Self {
            worker,
            model,
            livekit,
        }
    }

    /// The same with a relay between everybody and the server's media port.
    ///
    /// # Panics
    /// When a part does not start.
    pub async fn relayed(
        impairment: Impairment,
        change: impl FnOnce(Settings) -> Settings,
    ) -> (Self, UdpRelay) {
        let (livekit, relay) = LivekitServer::relayed(impairment).await;
        let model = simulated_model(Script::default()).await;
        let settings = change(Settings::new(&livekit.url(), &model.url()));
        let worker = Worker::ready(&settings).await;
        let stack = Self {
            worker,
            model,
            livekit,
        };
        (stack, relay)
    }

    /// Somebody joins with a microphone.
    pub async fn caller(&self, identity: &str, room: &str) -> User {
        User::join(&self.livekit.url(), &Pass::of(identity, room)).await
    }
}

/// A simulated model on a free port.
///
/// # Panics
/// When there is no free port.
pub async fn simulated_model(script: Script) -> SimModel {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    SimModel::start(any, script).await.expect("a free port")
}
