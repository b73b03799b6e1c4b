//! Task: joins a room again that was lost for good.
//!
//! Carries out what [`Rejoin`] says: asks the server, knocks, waits. Owns what is needed to be let
//! in. It touches no room that still stands.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::timeout};

use super::{
    Joined,
    connect::{self, ConnectError},
    rejoin::{Fact, GiveUp, Rejoin, Step, Token},
};
use crate::{
    config::{LiveKit, Secret},
    server_api::{self, ServerApi},
    telemetry::Pii,
};

/// How long the server may take to say whether the room lives.
const ASK_DEADLINE: Duration = Duration::from_secs(3);

/// What is needed to come back into a room.
#[derive(Clone, Debug)]
pub struct Door {
    /// The server, and our key there.
    pub livekit: Arc<LiveKit>,
    /// Where the room's server is.
    pub url: String,
    /// The room's name.
    pub room: Pii<String>,
    /// The job that brought us there.
    pub job: String,
    /// The name the agent was called by; empty = it was not called by name.
    pub agent_name: String,
    /// The last token the server gave us.
    pub token: Secret,
}

/// Back in the room.
pub(super) struct Back {
    pub(super) joined: Joined,
    pub(super) attempts: u32,
    pub(super) away: Duration,
}

impl Door {
    /// Joins again, unless that is over. `called_off` turns true when the server ends our job in
    /// the meantime: it also does that to jobs whose agent it lost, so it is asked.
    pub(super) async fn come_back(self, called_off: watch::Receiver<bool>) -> Result<Back, GiveUp> {
        let began = Instant::now();
        let mut rejoin = Rejoin::new(began);
        let mut step = Step::Ask;
        loop {
            let fact = match step {
                Step::Ask => {
                    let is_called_off = *called_off.borrow();
                    self.ask(is_called_off).await
                }
                Step::Join(token) => match self.knock(token).await {
                    Ok(joined) => {
                        // The job may have been ended while we knocked.
                        if *called_off.borrow() && self.is_dismissed().await {
                            connect::leave(&joined.0).await;
                            return Err(GiveUp::Dismissed);
                        }
                        return Ok(Back {
                            joined,
                            attempts: rejoin.attempts(),
                            away: began.elapsed(),
                        });
                    }
                    Err(fact) => fact,
                },
                Step::Wait(pause) => {
                    tokio::time::sleep(pause).await;
                    Fact::Waited
                }
                Step::GiveUp(why) => return Err(why),
            };
            step = rejoin.after(Instant::now(), fact, rand::random());
        }
    }

    /// Whether the server says that our job is over. An unreachable server says nothing.
    pub(super) async fn is_dismissed(&self) -> bool {
        matches!(self.ask(true).await, Fact::Dismissed)
    }

    async fn ask(&self, called_off: bool) -> Fact {
        let asking = self.look(called_off);
        match timeout(ASK_DEADLINE, asking).await {
            Ok(Ok(fact)) => fact,
            Ok(Err(error)) => {
                tracing::debug!(%error, "the server was not asked about the room");
                Fact::Unreachable
            }
            Err(_) => Fact::Unreachable,
        }
    }

    async fn look(&self, called_off: bool) -> Result<Fact, server_api::ApiError> {
        let api = ServerApi::new(&self.livekit);
        let room = self.room.expose();
        if api.list_rooms(vec![room.clone()]).await?.is_empty() {
            return Ok(Fact::NoRoom);
        }
        if !called_off {
            return Ok(Fact::Alive);
        }
        let dispatches = api.list_dispatches(room).await?;
        let wants_us = dispatches.iter().any(|d| d.jobs.contains(&self.job));
        Ok(if wants_us {
            Fact::Alive
        } else {
            Fact::Dismissed
        })
    }

    async fn knock(&self, token: Token) -> Result<Joined, Fact> {
        let token = match token {
            Token::Held => self.token.clone(),
            Token::Fresh => self.fresh_token().ok_or(Fact::Refused)?,
        };
        let joined = connect::connect(&self.url, &token, &self.livekit.e2ee_key).await;
        joined.map_err(|error| {
            tracing::info!(%error, "the room was not joined again yet");
            match error {
                ConnectError::Unauthorized => Fact::Refused,
                _ => Fact::Failed,
            }
        })
    }

    fn fresh_token(&self) -> Option<Secret> {
        let (room, job) = (self.room.expose(), self.job.as_str());
        server_api::agent_token(&self.livekit, room, job, &self.agent_name).ok()
    }
}
