//! Adapter: what operators, orchestrators and Prometheus can ask of the worker.
//!
//! `/` and `/worker` answer as LiveKit's own workers do. Live = this thread runs. Ready =
//! registered and not draining; never "has free slots" and never "the model is up": those would
//! take a worker away from the people who talk with it.

use std::{net::SocketAddr, time::SystemTime};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::{
    audit::Audit,
    dispatch::View,
    jobs::registry::Entry,
    supervision::{
        approvals::{Approvals, NotOpen, Shown},
        command::Verb,
        deed::Deed,
        grant::Grants,
    },
    telemetry,
};

/// What the routes look at.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The dispatcher.
    pub view: watch::Receiver<View>,
    /// The sessions.
    pub sessions: watch::Receiver<Vec<Entry>>,
    /// Takes the wish to drain; one is enough, more are the same wish.
    pub drain: mpsc::Sender<()>,
    /// Calls that wait for a supervisor.
    pub approvals: Approvals,
    /// Who may answer.
    pub grants: Grants,
    /// Holds who has.
    pub audit: Audit,
}

#[derive(Deserialize)]
struct InRoom {
    room: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judgement {
    approve: bool,
}

/// The routes.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/", get(async || "OK"))
        .route("/live", get(async || "live"))
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/sessions", get(sessions))
        .route("/worker", get(worker))
        .route("/drain", post(drain))
        .route("/approvals", get(approvals))
        .route("/approvals/{id}", post(judge))
        .with_state(admin)
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    let view = admin.view.borrow();
    if view.is_draining {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    if !view.is_registered() {
        return (StatusCode::SERVICE_UNAVAILABLE, "not registered");
    }
    (StatusCode::OK, "ready")
}

async fn metrics() -> Response {
    let format = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (format, telemetry::metrics().render()).into_response()
}

/// Sessions without names: rooms and people are nobody's business here.
async fn sessions(State(admin): State<Admin>) -> Json<Value> {
    let now = SystemTime::now();
    let sessions = admin.sessions.borrow();
    let entry = |entry: &Entry| {
        let seconds = now
            .duration_since(entry.since)
            .unwrap_or_default()
            .as_secs();
        json!({
            "job": entry.job,
            "agent_name": entry.agent_name,
            "agent": entry.agent,
            "seconds": seconds,
            "ending": entry.is_ending,
        })
    };
    Json(sessions.iter().map(entry).collect())
}

async fn worker(State(admin): State<Admin>) -> Json<Value> {
    let view = admin.view.borrow();
    let names: Vec<&str> = view
        .registrations
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let load = view.load;
    Json(json!({
        "worker_type": "JT_ROOM",
        "agent_name": names.first().copied().unwrap_or_default(),
        "agent_names": names,
        "active_jobs": load.active,
        "slots": load.slots,
        "worker_load": load.used as f64 / load.slots.max(1) as f64,
        "registered": view.is_registered(),
        "draining": view.is_draining,
        "sdk_version": env!("CARGO_PKG_VERSION"),
        "protocol_version": 1,
    }))
}

/// What waits in the room of `?room=`, for who holds a grant to approve there.
async fn approvals(
    State(admin): State<Admin>,
    Query(InRoom { room }): Query<InRoom>,
    headers: HeaderMap,
) -> Result<Json<Vec<Shown>>, (StatusCode, String)> {
    permitted(&admin, &headers, &room)?;
    Ok(Json(admin.approvals.open_in(&room)))
}

/// `{"approve": true}` lets the call run, `false` does not.
async fn judge(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(Judgement { approve }): Json<Judgement>,
) -> Result<StatusCode, (StatusCode, String)> {
    let gone = |error: NotOpen| (StatusCode::NOT_FOUND, error.to_string());
    // Who holds no grant at all does not learn which ids there are.
    let place = admin.approvals.place_of(&id);
    let room = place
        .as_ref()
        .map_or("", |(room, _)| room.expose().as_str());
    let grant = bearer(&headers)?;
    let allowed = admin.grants.allow(grant, room, Verb::Approve);
    let answer = allowed
        .map_err(|refusal| (StatusCode::FORBIDDEN, refusal.to_string()))
        .and_then(|()| admin.approvals.judge(room, &id, approve).map_err(gone));
    let Some((_, session)) = place else {
        return answer.map(|()| StatusCode::NO_CONTENT);
    };
    let deed = Deed {
        session: &session,
        who: None,
        verb: Verb::Approve,
        grant,
        answer: if answer.is_ok() { "taken" } else { "refused" },
        reason: answer.as_ref().err().map(|(_, words)| words.clone()),
        particulars: json!({"id": id, "approve": approve}),
    };
    let is_written = admin.audit.enqueue(deed.record()).written().await.is_ok();
    answer?;
    if !is_written {
        let what = "carried out, and not on record: the audit journal takes no records";
        return Err((StatusCode::INTERNAL_SERVER_ERROR, what.to_owned()));
    }
    Ok(StatusCode::NO_CONTENT)
}

fn permitted(admin: &Admin, headers: &HeaderMap, room: &str) -> Result<(), (StatusCode, String)> {
    let grant = bearer(headers)?;
    let allowed = admin.grants.allow(grant, room, Verb::Approve);
    allowed.map_err(|refusal| (StatusCode::FORBIDDEN, refusal.to_string()))
}

fn bearer(headers: &HeaderMap) -> Result<&str, (StatusCode, String)> {
    let bearer = headers.get(header::AUTHORIZATION);
    let grant = bearer.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    grant.ok_or_else(|| {
        let what = "a grant to approve is needed: Authorization: Bearer …";
        (StatusCode::UNAUTHORIZED, what.to_owned())
    })
}

async fn drain(
    State(admin): State<Admin>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
) -> (StatusCode, &'static str) {
    if !peer.ip().to_canonical().is_loopback() {
        return (StatusCode::FORBIDDEN, "only from this machine");
    }
    // Full means that the wish is known already.
    let _ = admin.drain.try_send(());
    (StatusCode::ACCEPTED, "draining")
}
