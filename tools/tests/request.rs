//! One HTTP request, as a service on loopback reads it.

use tokio::{io::AsyncReadExt, net::TcpStream};

/// Head, and as much body as it announces.
pub(crate) async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lines = head.lines().map(str::to_ascii_lowercase);
            let announced = lines
                .filter_map(|line| line.strip_prefix("content-length: ").map(str::to_owned))
                .find_map(|length| length.parse().ok())
                .unwrap_or(0_usize);
            if body.len() >= announced {
                return text;
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return text,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
}
