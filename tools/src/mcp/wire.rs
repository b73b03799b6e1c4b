//! Adapter: the streamable HTTP of MCP (2025-06-18, Transports) over the client that tools use.
//!
//! The SDK's own HTTP clients would follow redirects and reach inside networks; this one goes where any tool
//! may go and nowhere else, and reads no more than it was told.

use std::{collections::HashMap, io, sync::Arc};

use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue},
};
use rmcp::{
    model::{ClientJsonRpcMessage, ErrorData, JsonRpcMessage, ServerJsonRpcMessage},
    transport::streamable_http_client::{
        SseError, StreamableHttpClient, StreamableHttpError, StreamableHttpPostResponse,
        StreamableHttpResponseLimits,
    },
};
use sse_stream::{Sse, SseStream};
use url::Url;

use crate::http::{Client, Trouble};

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

type Failure = StreamableHttpError<Trouble>;
type Events = BoxStream<'static, Result<Sse, SseError>>;

/// What the SDK sends its messages with.
#[derive(Clone)]
pub(super) struct Wire(pub(super) Client);

impl Wire {
    fn request(
        &self,
        method: Method,
        uri: &str,
        session: Option<&str>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<RequestBuilder, Failure> {
        let url = Url::parse(uri).map_err(|_| Failure::Client(Trouble::Forbidden))?;
        let mut request = self.0.request(method, url).map_err(Failure::Client)?;
        for (name, mut value) in headers {
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        if let Some(session) = session {
            request = request.header(SESSION, session);
        }
        Ok(request)
    }
}

async fn sent(request: RequestBuilder) -> Result<Response, Failure> {
    let response = request.send().await;
    response.map_err(|error| Failure::Client(Trouble::of(&error)))
}

impl StreamableHttpClient for Wire {
    type Error = Trouble;

    async fn post_message(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        auth: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let limits = StreamableHttpResponseLimits::default();
        self.post_message_with_response_limits(uri, message, session, auth, headers, limits)
            .await
    }

    async fn post_message_with_response_limits(
        &self,
        uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        _auth: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
        limits: StreamableHttpResponseLimits,
    ) -> Result<StreamableHttpPostResponse, Failure> {
        let request = self
            .request(Method::POST, &uri, session.as_deref(), headers)?
            .header(ACCEPT, format!("{JSON}, {EVENTS}"))
            .header(CONTENT_TYPE, JSON)
            .body(serde_json::to_vec(&message)?);
        let response = sent(request).await?;
        let status = response.status();
        match status {
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT => {
                return Ok(StreamableHttpPostResponse::Accepted);
            }
            StatusCode::NOT_FOUND if session.is_some() => return Err(Failure::SessionExpired),
            _ if is_final(status) => return Err(answered(status)),
            _ => {}
        }
        let session = header(&response, &SESSION);
        if status.is_success() && is_events(&response) {
            let events = events(response, limits.max_sse_event_size);
            return Ok(StreamableHttpPostResponse::Sse(events, session));
        }
        let body = body(response, limits.max_json_response_size).await?;
        let message = if status.is_success() {
            match &message {
                JsonRpcMessage::Request(_) => serde_json::from_slice(&body)?,
                // Nothing waits for an answer to anything else.
                _ => return Ok(StreamableHttpPostResponse::Accepted),
            }
        } else {
            refusal(&message, status, &body).ok_or_else(|| answered(status))?
        };
        Ok(StreamableHttpPostResponse::Json(message, session))
    }

    async fn delete_session(
        &self,
        uri: Arc<str>,
        session: Arc<str>,
        _auth: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failure> {
        let request = self.request(Method::DELETE, &uri, Some(&session), headers)?;
        sent(request).await.map(drop)
    }

    async fn get_stream(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        auth: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<Events, Failure> {
        let longest = StreamableHttpResponseLimits::default().max_sse_event_size;
        self.get_stream_with_max_sse_event_size(uri, session, last_event, auth, headers, longest)
            .await
    }

    async fn get_stream_with_max_sse_event_size(
        &self,
        uri: Arc<str>,
        session: Option<Arc<str>>,
        last_event: Option<String>,
        _auth: Option<String>,
        headers: HashMap<HeaderName, HeaderValue>,
        longest: usize,
    ) -> Result<Events, Failure> {
        let mut request = self
            .request(Method::GET, &uri, session.as_deref(), headers)?
            .header(ACCEPT, EVENTS);
        if let Some(last_event) = last_event {
            request = request.header(LAST_EVENT, last_event);
        }
        let response = sent(request).await?;
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED => Err(Failure::ServerDoesNotSupportSse),
            status if status.is_success() && is_events(&response) => Ok(events(response, longest)),
            status => Err(answered(status)),
        }
    }
}

/// Whatever its body says: other credentials are wanted, it points elsewhere, or it does not work.
fn is_final(status: StatusCode) -> bool {
    status.is_redirection()
        || status.is_server_error()
        || matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        )
}

fn answered(status: StatusCode) -> Failure {
    Failure::UnexpectedServerResponse(format!("HTTP status {}", status.as_u16()).into())
}

/// A request that was refused: in the server's words if it has some, else in the status's. The SDK tries an
/// older way of beginning after the first.
fn refusal(
    message: &ClientJsonRpcMessage,
    status: StatusCode,
    body: &[u8],
) -> Option<ServerJsonRpcMessage> {
    let JsonRpcMessage::Request(request) = message else {
        return None;
    };
    let told = match serde_json::from_slice::<ServerJsonRpcMessage>(body) {
        Ok(JsonRpcMessage::Error(error)) => error.error,
        _ => ErrorData::invalid_request(format!("HTTP status {}", status.as_u16()), None),
    };
    // Whatever id it carries: it answers this request.
    Some(ServerJsonRpcMessage::error(told, Some(request.id.clone())))
}

fn header(response: &Response, name: &HeaderName) -> Option<String> {
    let value = response.headers().get(name)?;
    value.to_str().ok().map(str::to_owned)
}

fn is_events(response: &Response) -> bool {
    header(response, &CONTENT_TYPE).is_some_and(|kind| kind.starts_with(EVENTS))
}

async fn body(mut response: Response, longest: usize) -> Result<Vec<u8>, Failure> {
    let broken = |error: reqwest::Error| Failure::Client(Trouble::of(&error));
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(broken)? {
        if body.len() + piece.len() > longest {
            return Err(Failure::ResponseBodyTooLarge { max_size: longest });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn events(response: Response, longest: usize) -> Events {
    let meter = EventMeter::new(longest);
    let pieces = stream::try_unfold((response, meter), |(mut response, mut meter)| async move {
        let piece = response.chunk().await;
        let Some(piece) = piece.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))? else {
            return Ok(None);
        };
        if !meter.admits(&piece) {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(Some((piece, (response, meter))))
    });
    SseStream::from_bytes_stream(pieces).boxed()
}

/// How long the event is that is being read (HTML, 9.2.5: events end with an empty line).
struct EventMeter {
    longest: usize,
    length: usize,
    is_line_empty: bool,
}

impl EventMeter {
    fn new(longest: usize) -> Self {
        Self {
            longest,
            length: 0,
            is_line_empty: true,
        }
    }

    fn admits(&mut self, piece: &[u8]) -> bool {
        for byte in piece {
            self.length += 1;
            match byte {
                b'\n' if self.is_line_empty => self.length = 0,
                b'\n' => self.is_line_empty = true,
                b'\r' => {}
                _ => self.is_line_empty = false,
            }
            if self.length > self.longest {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_event_that_is_too_long_is_too_long() {
        let mut meter = EventMeter::new(12);
        for _ in 0..100 {
            assert!(meter.admits(b"data: 1\r\n"));
            assert!(meter.admits(b"\r\n"));
        }
        assert!(meter.admits(b"data: 123456"));
        assert!(!meter.admits(b"7"));
    }
}
