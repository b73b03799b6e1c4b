//! Adapter: the messages between worker and server, as protobuf ⇄ our own words.
//!
//! The only file that knows the wire types of the agent protocol. One binary WebSocket frame is one
//! message. Whatever cannot be understood becomes an error value; nothing in here can panic or end
//! a connection. It holds no state.

#[cfg(test)]
pub(crate) mod mock_server;

use std::time::Duration;

use livekit_api::access_token::{AccessToken, VideoGrants};
use livekit_protocol::{self as proto, server_message, worker_message};
use prost::Message;

use super::admission::{Load, Offer};
use crate::{config::Secret, telemetry::event::Answer};

/// A token lives for one attempt to connect.
const TOKEN_LIFETIME: Duration = Duration::from_secs(60);

/// What the server says.
#[derive(Clone, Debug, PartialEq)]
pub enum FromServer {
    /// A job is ours.
    Assignment(Assignment),
    /// The server asks us to register elsewhere.
    GoAway,
    /// Do you want this job?
    Offer(Offer),
    /// Answer to our ping.
    Pong,
    /// The registration was accepted.
    Registered {
        /// Our id at the server.
        worker_id: String,
        /// The server's version.
        server_version: String,
    },
    /// A job must end.
    Termination {
        /// The job.
        job: String,
    },
}

/// A job that is ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The job, its room and agent name.
    pub offer: Offer,
    /// What the caller of the agent attached; untrusted text.
    pub metadata: crate::telemetry::Pii<String>,
    /// Where to join; `None` = where we registered.
    pub url: Option<String>,
    /// What lets us into the room.
    pub token: Secret,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// It failed; the text names no person, room or key.
    Failed(String),
    /// Its session runs.
    Running,
    /// It ended as it should.
    Success,
}

/// A message that could not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misunderstood(pub &'static str);

/// Reads one binary frame.
///
/// # Errors
/// When it is no message of the protocol, or one this version does not know.
pub fn decode(frame: &[u8]) -> Result<FromServer, Misunderstood> {
    let message = proto::ServerMessage::decode(frame).map_err(|_| Misunderstood("not protobuf"))?;
    match message.message.ok_or(Misunderstood("unknown message"))? {
        server_message::Message::Assignment(assignment) => decode_assignment(assignment),
        server_message::Message::Availability(request) => {
            let job = request.job.ok_or(Misunderstood("offer without a job"))?;
            Ok(FromServer::Offer(offer(&job)))
        }
        server_message::Message::GoAway(_) => Ok(FromServer::GoAway),
        server_message::Message::Pong(_) => Ok(FromServer::Pong),
        server_message::Message::Register(registered) => Ok(FromServer::Registered {
            worker_id: registered.worker_id,
            server_version: registered.server_info.unwrap_or_default().version,
        }),
        server_message::Message::Termination(termination) => Ok(FromServer::Termination {
            job: termination.job_id,
        }),
    }
}

fn decode_assignment(assignment: proto::JobAssignment) -> Result<FromServer, Misunderstood> {
    let job = assignment
        .job
        .ok_or(Misunderstood("assignment without a job"))?;
    Ok(FromServer::Assignment(Assignment {
        offer: offer(&job),
        metadata: job.metadata.into(),
        url: assignment.url.filter(|url| !url.is_empty()),
        token: Secret::new(assignment.token),
    }))
}

fn offer(job: &proto::Job) -> Offer {
    Offer {
        job: job.id.clone(),
        room: job
            .room
            .as_ref()
            .map(|room| room.name.clone())
            .unwrap_or_default()
            .into(),
        agent_name: job.agent_name.clone(),
    }
}

/// The first message of a connection.
pub fn register(agent_name: &str) -> Vec<u8> {
    encode(worker_message::Message::Register(
        proto::RegisterWorkerRequest {
            r#type: proto::JobType::JtRoom.into(),
            agent_name: agent_name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            allowed_permissions: Some(proto::ParticipantPermission {
                can_subscribe: true,
                can_publish: true,
                can_publish_data: true,
                can_update_metadata: true,
                ..Default::default()
            }),
            ..Default::default()
        },
    ))
}

/// The answer to an offer.
pub fn availability(offer: &Offer, answer: Answer) -> Vec<u8> {
    let is_accepted = answer == Answer::Accepted;
    let name = if offer.agent_name.is_empty() {
        "agent"
    } else {
        &offer.agent_name
    };
    let attributes = [("lk.agent.name", name), ("lk.agent.state", "initializing")];
    let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned()));
    encode(worker_message::Message::Availability(
        proto::AvailabilityResponse {
            job_id: offer.job.clone(),
            available: is_accepted,
            // Nobody else shall take a job that would be a second agent in the same room.
            terminate: answer == Answer::Duplicate,
            participant_identity: if is_accepted {
                identity(&offer.job)
            } else {
                String::new()
            },
            participant_name: if is_accepted {
                name.to_owned()
            } else {
                String::new()
            },
            participant_attributes: if is_accepted {
                attributes.into()
            } else {
                Default::default()
            },
            ..Default::default()
        },
    ))
}

/// The agent's identity in its room.
pub fn identity(job: &str) -> String {
    format!("agent-{job}")
}

/// What we can take.
pub fn worker_status(load: Load) -> Vec<u8> {
    let status = if load.is_full {
        proto::WorkerStatus::WsFull
    } else {
        proto::WorkerStatus::WsAvailable
    };
    encode(worker_message::Message::UpdateWorker(
        proto::UpdateWorkerStatus {
            status: Some(status.into()),
            load: load.on_wire(),
            job_count: u32::try_from(load.active).unwrap_or(u32::MAX),
            ..Default::default()
        },
    ))
}

/// How far a job is.
pub fn job_status(job: &str, status: &JobStatus) -> Vec<u8> {
    let (status, error) = match status {
        JobStatus::Failed(error) => (proto::JobStatus::JsFailed, error.clone()),
        JobStatus::Running => (proto::JobStatus::JsRunning, String::new()),
        JobStatus::Success => (proto::JobStatus::JsSuccess, String::new()),
    };
    encode(worker_message::Message::UpdateJob(proto::UpdateJobStatus {
        job_id: job.to_owned(),
        status: status.into(),
        error,
    }))
}

fn encode(message: worker_message::Message) -> Vec<u8> {
    proto::WorkerMessage {
        message: Some(message),
    }
    .encode_to_vec()
}

/// Lets us register as a worker, and nothing else.
///
/// # Errors
/// When the key or the secret is empty.
pub fn token(api_key: &Secret, api_secret: &Secret) -> Result<Secret, Misunderstood> {
    let grants = VideoGrants {
        agent: true,
        ..Default::default()
    };
    AccessToken::with_api_key(api_key.expose(), api_secret.expose())
        .with_ttl(TOKEN_LIFETIME)
        .with_grants(grants)
        .to_jwt()
        .map(Secret::new)
        .map_err(|_| Misunderstood("no token could be made of the API key and secret"))
}

/// Where workers register: the server's URL with a WebSocket scheme and `agent` behind its path.
///
/// # Errors
/// When it is no URL of a server.
pub fn address(server: &str) -> Result<String, Misunderstood> {
    const NO_URL: Misunderstood = Misunderstood("not the URL of a server");
    let mut url = url::Url::parse(server).map_err(|_| NO_URL)?;
    let scheme = match url.scheme() {
        "http" | "ws" => "ws",
        "https" | "wss" => "wss",
        _ => return Err(NO_URL),
    };
    url.set_scheme(scheme).map_err(|()| NO_URL)?;
    let path = format!("{}/agent", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn the_address_keeps_a_path_and_has_one_slash() {
        assert_eq!(address("ws://host:7880").unwrap(), "ws://host:7880/agent");
        assert_eq!(
            address("https://host/livekit/").unwrap(),
            "wss://host/livekit/agent"
        );
        assert!(address("ftp://host").is_err());
        assert!(address("host").is_err());
    }

    #[test]
    fn an_offer_crosses_the_wire() {
        let frame = mock_server::offer("AJ_1", "kitchen", "desk");
        let Ok(FromServer::Offer(offer)) = decode(&frame) else {
            panic!("an offer was sent")
        };
        assert_eq!(
            (offer.job.as_str(), offer.agent_name.as_str()),
            ("AJ_1", "desk")
        );
        assert_eq!(offer.room.expose(), "kitchen");
    }

    #[test]
    fn messages_without_their_heart_are_misunderstood() {
        assert_eq!(decode(b""), Err(Misunderstood("unknown message")));
        assert_eq!(decode(b"\xff\xff\xff"), Err(Misunderstood("not protobuf")));
        assert_eq!(
            decode(b"\x12\x00"),
            Err(Misunderstood("offer without a job"))
        );
    }

    #[test]
    fn two_thousand_malformed_messages_do_no_harm() {
        let good = [
            mock_server::offer("AJ_1", "kitchen", "desk"),
            mock_server::assignment("AJ_1", "kitchen", "desk", r#"{"agent":"x"}"#),
            mock_server::registered("AW_1"),
            mock_server::termination("AJ_1"),
        ];
        let mut random = StdRng::seed_from_u64(0x5eed);
        let mut refused = 0;
        for round in 0..2000 {
            let mut frame = good[round % good.len()].clone();
            match random.random_range(0..4) {
                0 => frame.truncate(random.random_range(0..=frame.len())),
                1 => {
                    let at = random.random_range(0..frame.len());
                    frame[at] = random.random();
                }
                2 => {
                    frame = (0..random.random_range(0..200))
                        .map(|_| random.random())
                        .collect()
                }
                _ => {
                    let twice = frame.clone();
                    let at = random.random_range(0..frame.len());
                    frame.splice(at..at, twice);
                }
            }
            refused += usize::from(decode(&frame).is_err());
        }
        assert!(
            refused > 500,
            "the corpus is hardly malformed: {refused} of 2000 refused"
        );
    }
}
