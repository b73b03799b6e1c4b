//! Core: who may connect, decided from the upgrade request.

use tokio_tungstenite::tungstenite::{
    handshake::server::{ErrorResponse, Request, Response},
    http::{HeaderValue, Response as HttpResponse, StatusCode, header},
};

use crate::sim_model::script::{Handshake, Script};

/// The model an accepted client asked for.
pub(super) struct Admitted {
    pub(super) model: String,
}

/// Answers an upgrade request as the provider does. Boxed, because a refusal is a large value.
pub(super) fn admit(
    script: &Script,
    request: &Request,
    response: &mut Response,
) -> Result<Admitted, Box<ErrorResponse>> {
    if let Handshake::Refuse(status) = script.handshake {
        return Err(refusal(status, "refused_by_script"));
    }
    if request.uri().path() != "/v1/realtime" {
        return Err(refusal(404, "not_found"));
    }
    let offered = protocols(request);
    match key(request, &offered) {
        Some(key) if !is_refused(script, &key) => {}
        _ => return Err(refusal(401, "invalid_api_key")),
    }
    if offered.iter().any(|protocol| protocol == "realtime") {
        let echo = HeaderValue::from_static("realtime");
        response
            .headers_mut()
            .insert(header::SEC_WEBSOCKET_PROTOCOL, echo);
    }
    let query = request.uri().query().unwrap_or_default();
    let model = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("model="));
    Ok(Admitted {
        model: model.unwrap_or_default().to_owned(),
    })
}

fn protocols(request: &Request) -> Vec<String> {
    let header = request.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
    let list = header
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    list.split(',')
        .map(|protocol| protocol.trim().to_owned())
        .collect()
}

/// From the header, or, as browsers must do it, from a subprotocol.
fn key(request: &Request, offered: &[String]) -> Option<String> {
    let header = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|h| h.to_str().ok());
    let bearer = header.and_then(|value| value.strip_prefix("Bearer "));
    let insecure = || {
        offered
            .iter()
            .find_map(|p| p.strip_prefix("openai-insecure-api-key."))
    };
    bearer
        .or_else(insecure)
        .map(str::to_owned)
        .filter(|key| !key.is_empty())
}

fn is_refused(script: &Script, key: &str) -> bool {
    script
        .refused_keys
        .iter()
        .any(|refused| refused == "*" || refused == key)
}

fn refusal(status: u16, code: &str) -> Box<ErrorResponse> {
    let body = format!(r#"{{"error":{{"message":"refused","code":"{code}"}}}}"#);
    let mut response = HttpResponse::new(Some(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Box::new(response)
}
