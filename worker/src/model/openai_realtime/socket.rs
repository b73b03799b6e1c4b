//! Adapter: from an endpoint to an open WebSocket: TCP, proxy tunnel, TLS, upgrade.
//!
//! Sets what must be set on every model socket (no Nagle delay, small bounded buffers) and turns
//! every way to fail into a code, a blame and a retry. It knows no events, and its errors hold
//! neither key nor address.

use std::io;

use base64::{Engine, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config,
    tungstenite::{
        Error as WsError,
        client::IntoClientRequest,
        handshake::client::Request,
        http::{HeaderValue, header::USER_AGENT},
        protocol::WebSocketConfig,
    },
};
use url::Url;

use super::{dialect, wire::server_event};
use crate::model::{
    Blame, Endpoint, Retry,
    endpoint::Proxy,
    reconnect::{self, Failure},
};

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Longest message that may be written; the socket's buffer holds one such message and some audio.
pub(super) const LONGEST_MESSAGE: usize = 512 * 1024;

/// Longest answer of a proxy.
const PROXY_ANSWER: usize = 8 * 1024;

/// The library's defaults (128 KiB read buffer per socket, 64 MiB messages, unbounded write buffer)
/// do not fit thousands of sessions. The longest thing a model sends is an audio delta, far below
/// 2 MiB.
fn socket_config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(1024 * 1024)
        .max_message_size(Some(2 * 1024 * 1024))
        .max_frame_size(Some(2 * 1024 * 1024))
}

/// Why there is no configured connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("the connection was closed before it was configured")]
    Closed,
    #[error("the key holds characters that no header can carry")]
    Key,
    #[error("the answer is not a WebSocket upgrade")]
    Protocol,
    #[error("the proxy answered with {status}")]
    Proxy { status: u16 },
    #[error("the model refused the connection: {code}")]
    Refused { code: String },
    #[error("the settings of the session were refused: {code}")]
    Settings { code: String, field: Option<String> },
    #[error("no answer in time")]
    Timeout,
    #[error("no secure connection")]
    Tls,
    #[error("the model cannot be reached")]
    Unreachable(#[source] io::Error),
    #[error("the upgrade was answered with {status}")]
    Upgrade { status: u16, code: Option<String> },
}

impl ConnectError {
    pub(super) fn from_socket(error: WsError) -> Self {
        match error {
            WsError::ConnectionClosed | WsError::AlreadyClosed => Self::Closed,
            WsError::Http(response) => Self::Upgrade {
                status: response.status().as_u16(),
                code: response
                    .body()
                    .as_deref()
                    .and_then(server_event::code_of_body),
            },
            WsError::Io(error) if is_about_tls(&error) => Self::Tls,
            WsError::Io(error) => Self::Unreachable(error),
            WsError::Tls(_) => Self::Tls,
            _ => Self::Protocol,
        }
    }

    pub(super) fn failure(&self) -> Failure {
        Failure::new(self.reason(), self.blame(), self.retry())
    }

    /// A short code: the provider's where there is one.
    fn reason(&self) -> String {
        match self {
            Self::Closed => "closed_early".to_owned(),
            Self::Key => "invalid_api_key".to_owned(),
            Self::Protocol => "not_a_websocket".to_owned(),
            Self::Proxy { status } => format!("proxy_{status}"),
            Self::Refused { code }
            | Self::Upgrade {
                code: Some(code), ..
            } => code.clone(),
            Self::Settings { code, field: None } => code.clone(),
            Self::Settings {
                code,
                field: Some(field),
            } => format!("{code}({field})"),
            Self::Timeout => "timeout".to_owned(),
            Self::Tls => "tls".to_owned(),
            Self::Unreachable(_) => "unreachable".to_owned(),
            Self::Upgrade { status: 401, .. } => "invalid_api_key".to_owned(),
            Self::Upgrade { status: 403, .. } => "permission_error".to_owned(),
            Self::Upgrade { status: 429, .. } => "rate_limit_exceeded".to_owned(),
            Self::Upgrade { status, .. } => format!("http_{status}"),
        }
    }

    fn blame(&self) -> Blame {
        match (self, self.retry()) {
            (Self::Tls | Self::Proxy { .. }, _) | (_, Retry::Never) => Blame::Config,
            (Self::Timeout | Self::Unreachable(_), _) => Blame::Network,
            _ => Blame::Peer,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Key => Retry::Never,
            Self::Refused { code } => Failure::from_code(code).retry,
            // The same settings would be refused again, unless the provider was in trouble.
            Self::Settings { code, .. } => match code.as_str() {
                "rate_limit_exceeded" | "server_error" => Retry::Backoff,
                "session_expired" => Retry::AtOnce,
                _ => Retry::Never,
            },
            Self::Upgrade {
                code: Some(code), ..
            } if reconnect::is_fatal(code) => Retry::Never,
            Self::Upgrade {
                status: 408 | 425 | 429 | 500..=599,
                ..
            } => Retry::Backoff,
            Self::Upgrade { .. }
            | Self::Proxy {
                status: 401 | 403 | 407,
            } => Retry::Never,
            Self::Closed
            | Self::Protocol
            | Self::Proxy { .. }
            | Self::Timeout
            | Self::Tls
            | Self::Unreachable(_) => Retry::Backoff,
        }
    }
}

/// A handshake that fails is reported as an I/O error around the real one.
fn is_about_tls(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<rustls::Error>())
}

/// Opens the socket of one connection. The caller sets the deadline.
pub(super) async fn open(endpoint: &Endpoint, model: &str) -> Result<Socket, ConnectError> {
    let url = dialect::address(endpoint.url(), model);
    let request = request(endpoint, &url)?;
    let stream = match endpoint.proxy() {
        None => TcpStream::connect(host_and_port(&url)?)
            .await
            .map_err(ConnectError::Unreachable)?,
        Some(proxy) => tunnel(proxy, host_and_port(&url)?).await?,
    };
    stream
        .set_nodelay(true)
        .map_err(ConnectError::Unreachable)?;
    let connector = Connector::Rustls(endpoint.tls());
    let (socket, _) =
        client_async_tls_with_config(request, stream, Some(socket_config()), Some(connector))
            .await
            .map_err(ConnectError::from_socket)?;
    Ok(socket)
}

fn request(endpoint: &Endpoint, url: &Url) -> Result<Request, ConnectError> {
    let mut request = url
        .as_str()
        .into_client_request()
        .map_err(|_| ConnectError::Protocol)?;
    let (name, value) = dialect::authentication(endpoint.dialect(), endpoint.key());
    let mut value = HeaderValue::from_str(value.expose()).map_err(|_| ConnectError::Key)?;
    value.set_sensitive(true);
    let headers = request.headers_mut();
    headers.insert(name, value);
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("room-agent/", env!("CARGO_PKG_VERSION"))),
    );
    Ok(request)
}

fn host_and_port(url: &Url) -> Result<(&str, u16), ConnectError> {
    let host = url.host_str().ok_or(ConnectError::Protocol)?;
    let port = url.port_or_known_default().ok_or(ConnectError::Protocol)?;
    Ok((host.trim_start_matches('[').trim_end_matches(']'), port))
}

/// Asks the proxy for a tunnel (RFC 9110, section 9.3.6).
async fn tunnel(proxy: &Proxy, (host, port): (&str, u16)) -> Result<TcpStream, ConnectError> {
    let mut stream = TcpStream::connect((proxy.host.as_str(), proxy.port))
        .await
        .map_err(ConnectError::Unreachable)?;
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let mut ask = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(login) = &proxy.login {
        let login = BASE64_STANDARD.encode(login.expose());
        ask.push_str(&format!("Proxy-Authorization: Basic {login}\r\n"));
    }
    ask.push_str("\r\n");
    stream
        .write_all(ask.as_bytes())
        .await
        .map_err(ConnectError::Unreachable)?;
    match proxy_status(&mut stream).await? {
        200..=299 => Ok(stream),
        status => Err(ConnectError::Proxy { status }),
    }
}

/// Reads the head of the answer, and not one byte more: the tunnel begins right behind it.
async fn proxy_status(stream: &mut TcpStream) -> Result<u16, ConnectError> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == PROXY_ANSWER {
            return Err(ConnectError::Protocol);
        }
        head.push(stream.read_u8().await.map_err(ConnectError::Unreachable)?);
    }
    let head = String::from_utf8_lossy(&head);
    let status = head
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.split(' ').nth(1));
    status
        .and_then(|status| status.trim().parse().ok())
        .ok_or(ConnectError::Protocol)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::Secret;

    fn upgrade(status: u16, code: Option<&str>) -> (String, Blame, Retry) {
        let error = ConnectError::Upgrade {
            status,
            code: code.map(str::to_owned),
        };
        (error.reason(), error.blame(), error.retry())
    }

    #[test]
    fn a_refused_upgrade_says_whether_trying_again_helps() {
        let cases = [
            (401, None, "invalid_api_key", Blame::Config, Retry::Never),
            (403, None, "permission_error", Blame::Config, Retry::Never),
            (
                404,
                Some("model_not_found"),
                "model_not_found",
                Blame::Config,
                Retry::Never,
            ),
            (404, None, "http_404", Blame::Config, Retry::Never),
            (301, None, "http_301", Blame::Config, Retry::Never),
            (
                429,
                None,
                "rate_limit_exceeded",
                Blame::Peer,
                Retry::Backoff,
            ),
            (
                429,
                Some("insufficient_quota"),
                "insufficient_quota",
                Blame::Config,
                Retry::Never,
            ),
            (500, None, "http_500", Blame::Peer, Retry::Backoff),
            (
                503,
                Some("overloaded"),
                "overloaded",
                Blame::Peer,
                Retry::Backoff,
            ),
        ];
        for (status, code, reason, blame, retry) in cases {
            assert_eq!(
                upgrade(status, code),
                (reason.to_owned(), blame, retry),
                "{status}"
            );
        }
    }

    /// A proxy that answers like this, and what it was asked.
    async fn ask_proxy(login: Option<&str>, answer: &str) -> (Result<(), String>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
            login: login.map(Secret::new),
        };
        let served = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            // Our side may hang up before it has read everything.
            let _ = stream.write_all(answer.as_bytes()).await;
            String::from_utf8(asked).unwrap()
        };
        let (tunnel, asked) = tokio::join!(tunnel(&proxy, ("model.test", 443)), served);
        (tunnel.map(drop).map_err(|error| error.reason()), asked)
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_a_tunnel_with_its_login() {
        let (tunnel, asked) = ask_proxy(Some("me:p@ss"), "HTTP/1.1 200 OK\r\n\r\n").await;
        assert_eq!(tunnel, Ok(()));
        assert_eq!(
            asked,
            "CONNECT model.test:443 HTTP/1.1\r\nHost: model.test:443\r\n\
             Proxy-Authorization: Basic bWU6cEBzcw==\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn a_proxy_that_gives_no_tunnel_says_why_or_is_not_one() {
        let refused = "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
        assert_eq!(
            ask_proxy(None, refused).await.0,
            Err("proxy_407".to_owned())
        );
        let endless = "x".repeat(PROXY_ANSWER + 1);
        for answer in ["SSH-2.0-hello\r\n\r\n", "HTTP/1.1\r\n\r\n", &endless] {
            let (tunnel, _) = ask_proxy(None, answer).await;
            assert_eq!(tunnel, Err("not_a_websocket".to_owned()));
        }
        assert_eq!(
            ask_proxy(None, "HTTP/1.1 200").await.0,
            Err("unreachable".to_owned())
        );
    }

    #[test]
    fn refused_settings_are_final_and_name_the_field() {
        let error = ConnectError::Settings {
            code: "invalid_value".to_owned(),
            field: Some("session.audio.output.voice".to_owned()),
        };
        let failure = error.failure();
        assert_eq!(failure.reason, "invalid_value(session.audio.output.voice)");
        assert_eq!(
            (failure.blame, failure.retry),
            (Blame::Config, Retry::Never)
        );
    }
}
