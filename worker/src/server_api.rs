//! Adapter: the LiveKit server's HTTP API, as far as the worker needs it.
//!
//! The only file that names its client. Errors say what failed and never carry names or tokens.

use std::time::Duration;

use livekit_api::{
    access_token::{AccessToken, VideoGrants},
    services::{agent_dispatch::AgentDispatchClient, room::RoomClient},
};
use livekit_protocol as proto;

use crate::{
    config::{LiveKit, Secret},
    telemetry::Pii,
};

/// Calls the server. Cheap to make; nothing is connected until it is used.
#[derive(Debug)]
pub struct ServerApi {
    rooms: RoomClient,
    dispatches: AgentDispatchClient,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server could not {operation}: {what}")]
pub struct ApiError {
    operation: &'static str,
    what: String,
}

/// An agent that was called into a room.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// The server's id of it.
    pub id: String,
    /// The agent name.
    pub agent_name: String,
    /// Ids of the jobs that came of it, also of those that ended.
    pub jobs: Vec<String>,
}

/// Somebody in a room, as the server lists them.
#[derive(Clone, Debug, PartialEq)]
pub struct Participant {
    /// Identity in the room.
    pub identity: Pii<String>,
    /// The agent name it was registered under; `None` = a person, or another kind of program.
    pub agent_name: Option<String>,
}

impl ServerApi {
    /// For this server and key.
    pub fn new(livekit: &LiveKit) -> Self {
        let url = http_url(&livekit.url);
        let (key, secret) = (livekit.api_key.expose(), livekit.api_secret.expose());
        Self {
            rooms: RoomClient::with_api_key(&url, key, secret),
            dispatches: AgentDispatchClient::with_api_key(&url, key, secret),
        }
    }

    /// Names of the rooms that exist, of these or of all.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn list_rooms(&self, names: Vec<String>) -> Result<Vec<String>, ApiError> {
        let rooms = self
            .rooms
            .list_rooms(names)
            .await
            .map_err(failed("list rooms"))?;
        Ok(rooms.into_iter().map(|room| room.name).collect())
    }

    /// Who is in a room.
    ///
    /// # Errors
    /// When the server is away or refuses, or there is no such room.
    pub async fn list_participants(&self, room: &str) -> Result<Vec<Participant>, ApiError> {
        let listed = self.rooms.list_participants(room).await;
        let listed = listed.map_err(failed("list participants"))?;
        let participant = |info: proto::ParticipantInfo| {
            let is_agent = info.kind() == proto::participant_info::Kind::Agent;
            let name = info
                .attributes
                .get("lk.agent_name")
                .cloned()
                .unwrap_or_default();
            Participant {
                identity: info.identity.into(),
                agent_name: is_agent.then_some(name),
            }
        };
        Ok(listed.into_iter().map(participant).collect())
    }

    /// Agents that were called into a room, whether they came or not.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn list_dispatches(&self, room: &str) -> Result<Vec<Dispatch>, ApiError> {
        let listed = self.dispatches.list_dispatch(room).await;
        let listed = listed.map_err(failed("list dispatches"))?;
        Ok(listed.into_iter().map(dispatch).collect())
    }

    /// Calls an agent into a room.
    ///
    /// # Errors
    /// When the server is away or refuses.
    pub async fn create_dispatch(
        &self,
        room: &str,
        agent_name: &str,
        metadata: &str,
    ) -> Result<Dispatch, ApiError> {
        let request = proto::CreateAgentDispatchRequest {
            agent_name: agent_name.to_owned(),
            room: room.to_owned(),
            metadata: metadata.to_owned(),
            ..Default::default()
        };
        let created = self.dispatches.create_dispatch(request).await;
        created.map(dispatch).map_err(failed("create a dispatch"))
    }

    /// Takes an agent out of a room again.
    ///
    /// # Errors
    /// When the server is away or refuses, or there is no such dispatch.
    pub async fn delete_dispatch(&self, room: &str, id: &str) -> Result<(), ApiError> {
        let deleted = self.dispatches.delete_dispatch(id, room).await;
        deleted.map(drop).map_err(failed("delete a dispatch"))
    }
}

/// Lets an agent into a room as the server would: where no job named it, or when the token of its
/// job is too old. `agent_name` is the one it was called by, if any.
///
/// # Errors
/// When the secret cannot sign.
pub fn agent_token(
    livekit: &LiveKit,
    room: &str,
    job: &str,
    agent_name: &str,
) -> Result<Secret, ApiError> {
    let grants = VideoGrants {
        room_join: true,
        room: room.to_owned(),
        agent: true,
        can_publish: Some(true),
        can_publish_data: Some(true),
        can_subscribe: Some(true),
        can_update_own_metadata: Some(true),
        ..Default::default()
    };
    let token = unsigned(livekit)
        .with_identity(&format!("agent-{job}"))
        .with_kind("agent")
        .with_attributes([("lk.agent_name", agent_name)])
        .with_grants(grants);
    signed(token, "let an agent in")
}

/// A token for the HTTP API of one room, for a program that calls an agent into it. Valid for
/// ten minutes.
///
/// # Errors
/// When the secret cannot sign.
pub fn admin_token(livekit: &LiveKit, room: &str) -> Result<Secret, ApiError> {
    const VALID: Duration = Duration::from_secs(600);
    let grants = VideoGrants {
        room_admin: true,
        room: room.to_owned(),
        ..Default::default()
    };
    let token = unsigned(livekit).with_ttl(VALID).with_grants(grants);
    signed(token, "administer a room")
}

fn unsigned(livekit: &LiveKit) -> AccessToken {
    AccessToken::with_api_key(livekit.api_key.expose(), livekit.api_secret.expose())
}

fn signed(token: AccessToken, operation: &'static str) -> Result<Secret, ApiError> {
    token.to_jwt().map(Secret::new).map_err(|_| ApiError {
        operation,
        what: "no token could be made".to_owned(),
    })
}

fn dispatch(dispatch: proto::AgentDispatch) -> Dispatch {
    Dispatch {
        id: dispatch.id,
        agent_name: dispatch.agent_name,
        jobs: dispatch
            .state
            .map(|state| state.jobs.into_iter().map(|job| job.id).collect())
            .unwrap_or_default(),
    }
}

fn failed(operation: &'static str) -> impl FnOnce(livekit_api::services::ServiceError) -> ApiError {
    use livekit_api::services::{ServerError, ServiceError};
    move |error| ApiError {
        operation,
        // Only the code: messages may repeat the room's name.
        what: match error {
            ServiceError::Twirp(ServerError::Twirp(code)) => code.code,
            ServiceError::AccessToken(_) => "no token could be made".to_owned(),
            _ => "not reachable".to_owned(),
        },
    }
}

fn http_url(url: &str) -> String {
    match url.split_once("://") {
        Some(("ws", rest)) => format!("http://{rest}"),
        Some(("wss", rest)) => format!("https://{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_speaks_http() {
        assert_eq!(http_url("ws://host:7880"), "http://host:7880");
        assert_eq!(http_url("wss://host"), "https://host");
        assert_eq!(http_url("https://host"), "https://host");
    }
}
