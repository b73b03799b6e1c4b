//! Adapter: a byte stream to a relay, over TCP or over TLS. Owns the socket, the TLS session and what
//! is not written yet; knows nothing of TURN.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    sync::Arc,
};

use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};

/// Unwritten bytes; a packet beyond is dropped, as a full network would drop it.
const UNSENT: usize = 256 * 1024;
/// Bytes taken from the system at once.
const CHUNK: usize = 4_096;

/// One stream, or the attempt at one.
pub(crate) struct Tunnel {
    pub(crate) tcp: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// Known once the server answered.
    local: Option<SocketAddr>,
    unsent: Vec<u8>,
}

impl Tunnel {
    /// Calls; nothing waits. With `tls` the server must prove that it has this name.
    ///
    /// # Errors
    /// When there is no socket.
    pub(super) fn dial(
        server: SocketAddr,
        tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    ) -> io::Result<Self> {
        let tls = tls
            .map(|(config, name)| {
                let mut tls = ClientConnection::new(config, name)?;
                // Its own buffer would refuse what is sent before the handshake is done.
                tls.set_buffer_limit(Some(UNSENT));
                Ok::<_, rustls::Error>(Box::new(tls))
            })
            .transpose()
            .map_err(io::Error::other)?;
        Ok(Self {
            tcp: TcpStream::connect(server)?,
            tls,
            local: None,
            unsent: Vec::new(),
        })
    }

    /// Notices that the server answered, and writes what waits. `Some` = connected just now.
    ///
    /// # Errors
    /// When there is no connection (any more).
    pub(super) fn settle(&mut self) -> io::Result<Option<SocketAddr>> {
        if let Some(error) = self.tcp.take_error()? {
            return Err(error);
        }
        if self.local.is_some() {
            self.flush()?;
            return Ok(None);
        }
        match self.tcp.peer_addr() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(None),
            Err(error) => return Err(error),
        }
        self.tcp.set_nodelay(true)?;
        self.local = Some(self.tcp.local_addr()?);
        self.flush()?;
        Ok(self.local)
    }

    /// Our address, once connected.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// False when the bytes were dropped: all of them or none.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        if self.unsent.len() + bytes.len() > UNSENT {
            return false;
        }
        match &mut self.tls {
            Some(tls) => {
                if tls.writer().write_all(bytes).is_err() {
                    return false;
                }
            }
            None => self.unsent.extend(bytes),
        }
        // An error shows at the next reading, too.
        self.flush().is_ok()
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.unsent)?;
            }
        }
        if self.local.is_none() {
            return Ok(());
        }
        let mut written = 0;
        let result = loop {
            if written == self.unsent.len() {
                break Ok(());
            }
            match self.tcp.write(&self.unsent[written..]) {
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.unsent.drain(..written);
        result
    }

    /// Adds what came to `bytes`. False when nothing more is there.
    ///
    /// # Errors
    /// When the server closed, or is not the one it should be.
    pub(super) fn receive(&mut self, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let mut chunk = [0; CHUNK];
        let count = match self.tcp.read(&mut chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        };
        let Some(tls) = &mut self.tls else {
            bytes.extend(&chunk[..count]);
            return Ok(true);
        };
        let mut sealed = &chunk[..count];
        while !sealed.is_empty() {
            // After its goodbye nothing is taken from the server any more.
            if tls.read_tls(&mut sealed)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let state = tls.process_new_packets().map_err(io::Error::other)?;
            let ready = state.plaintext_bytes_to_read();
            tls.reader().take(ready as u64).read_to_end(bytes)?;
        }
        // The handshake has answers of its own.
        self.flush()?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use rustls::{
        DigitallySignedStruct, ServerConfig, ServerConnection, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, UnixTime},
    };

    use super::*;
    use crate::engine::crypto;

    /// Trusts everybody.
    #[derive(Debug)]
    struct Trustful;

    impl ServerCertVerifier for Trustful {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ECDSA_NISTP256_SHA256]
        }
    }

    /// Both ends of TLS; the client trusts everybody.
    fn tls() -> (Arc<ClientConfig>, ServerConnection) {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Trustful))
            .with_no_client_auth();
        let identity = crypto::provider().dtls_provider.generate_certificate();
        let identity = identity.unwrap();
        let key = PrivateKeyDer::try_from(identity.private_key).unwrap();
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.certificate.into()], key)
            .unwrap();
        let server = ServerConnection::new(Arc::new(server)).unwrap();
        (Arc::new(client), server)
    }

    /// Reads until something or an end comes: the other end wrote already.
    fn next(tunnel: &mut Tunnel) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.is_empty() {
            tunnel.receive(&mut bytes)?;
            thread::yield_now();
        }
        Ok(bytes)
    }

    #[test]
    fn bytes_pass_both_ways_and_an_end_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut tunnel = Tunnel::dial(listener.local_addr().unwrap(), None).unwrap();
        assert!(tunnel.send(b"early"), "what is sent before it stands waits");
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(tunnel.settle().unwrap(), Some(server.peer_addr().unwrap()));
        let mut seen = [0; 5];
        server.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"early");
        server.write_all(b"answer").unwrap();
        assert_eq!(next(&mut tunnel).unwrap(), b"answer");
        drop(server);
        assert!(next(&mut tunnel).is_err());
    }

    #[test]
    fn a_server_that_does_not_read_costs_packets_and_no_memory() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut tunnel = Tunnel::dial(listener.local_addr().unwrap(), None).unwrap();
        let _server = listener.accept().unwrap();
        tunnel.settle().unwrap();
        let packet = [0; 1_200];
        let sent = (0..100_000).take_while(|_| tunnel.send(&packet)).count();
        assert!(sent < 100_000 && tunnel.unsent.len() <= UNSENT);
    }

    #[test]
    fn bytes_behind_a_goodbye_are_an_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (client, mut tls) = tls();
        let name = ServerName::try_from("relay.example.com").unwrap();
        let address = listener.local_addr().unwrap();
        let mut tunnel = Tunnel::dial(address, Some((client, name))).unwrap();
        let server = thread::spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
            stream.write_all(b"answer").unwrap();
            tls.send_close_notify();
            while tls.wants_write() {
                tls.write_tls(&mut tcp).unwrap();
            }
            // More than is read together with the goodbye.
            tcp.write_all(&[0; 4 * CHUNK]).unwrap();
            tcp
        });
        let mut bytes = Vec::new();
        let end = loop {
            let read = tunnel.settle().and_then(|_| tunnel.receive(&mut bytes));
            if let Err(error) = read {
                break error;
            }
            thread::yield_now();
        };
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(bytes, b"answer");
        drop(server.join());
    }
}
