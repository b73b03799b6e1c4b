//! Reads HTTP pages of the programs under test, metrics above all.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// An answered page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// What it holds.
    pub body: String,
}

/// Longer than any page of ours takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Gets a page.
///
/// # Errors
/// When nobody answers in time, or not in HTTP.
pub async fn get(address: SocketAddr, path: &str) -> io::Result<Page> {
    request(address, ("GET", path), "", "").await
}

/// Posts JSON.
///
/// # Errors
/// As [`get`].
pub async fn post(address: SocketAddr, path: &str, json: &str) -> io::Result<Page> {
    request(address, ("POST", path), "", json).await
}

/// Asks with a token, `line` being method and path; posts JSON.
///
/// # Errors
/// As [`get`].
pub async fn authorized(
    address: SocketAddr,
    line: (&str, &str),
    token: &str,
    json: &str,
) -> io::Result<Page> {
    let header = format!("authorization: Bearer {token}\r\n");
    request(address, line, &header, json).await
}

async fn request(
    address: SocketAddr,
    line: (&str, &str),
    headers: &str,
    body: &str,
) -> io::Result<Page> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    timeout(TIMEOUT, exchange(address, line, headers, body))
        .await
        .map_err(late)?
}

async fn exchange(
    address: SocketAddr,
    (method, path): (&str, &str),
    headers: &str,
    body: &str,
) -> io::Result<Page> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    parse(&String::from_utf8_lossy(&answer)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse(answer: &str) -> Option<Page> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Page {
        status,
        body: body.to_owned(),
    })
}

/// The value of a series in Prometheus text, such as `sessions_active` or
/// `turns_total{ended_by="caller"}`.
pub fn metric(page: &str, series: &str) -> Option<f64> {
    page.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit_once(' '))
        .find(|(name, _)| *name == series)
        .and_then(|(_, value)| value.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_found_with_and_without_labels() {
        let page = "# TYPE a gauge\na 3\nb{x=\"1\"} 2.5\nab 9\n";
        assert_eq!(metric(page, "a"), Some(3.0));
        assert_eq!(metric(page, "b{x=\"1\"}"), Some(2.5));
        assert_eq!(metric(page, "c"), None);
    }
}
