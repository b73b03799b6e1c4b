//! Adapter: a TCP connection to a candidate of the peer, with packets framed by their length (RFC
//! 4571). Owns the socket, what is half read and what is not written yet; knows nothing of ICE.

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
};

use mio::net::TcpStream;

use super::link::DATAGRAM;

/// Unwritten bytes; a packet beyond is dropped, as a full network would drop it.
const UNSENT: usize = 256 * 1024;
/// Bytes taken from the system at once.
const CHUNK: usize = 4_096;
/// The length before each packet.
const HEAD: usize = 2;

/// One connection, or the attempt at one.
pub(crate) struct Stream {
    pub(crate) tcp: TcpStream,
    pub(crate) remote: SocketAddr,
    /// Known once the peer answered.
    local: Option<SocketAddr>,
    read: Vec<u8>,
    unsent: Vec<u8>,
}

impl Stream {
    /// Calls; nothing waits.
    pub(crate) fn dial(remote: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            tcp: TcpStream::connect(remote)?,
            remote,
            local: None,
            read: Vec::new(),
            unsent: Vec::new(),
        })
    }

    /// Our address, once connected.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// Notices that the peer answered, and writes what waits. `Some` = connected just now.
    ///
    /// # Errors
    /// When there is no connection (any more).
    pub(crate) fn settle(&mut self) -> io::Result<Option<SocketAddr>> {
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
        Ok(self.local)
    }

    /// False when the packet was dropped.
    pub(crate) fn send(&mut self, packet: &[u8]) -> bool {
        let Ok(length) = u16::try_from(packet.len()) else {
            return false;
        };
        if self.local.is_none() || self.unsent.len() + packet.len() > UNSENT {
            return false;
        }
        self.unsent.extend(length.to_be_bytes());
        self.unsent.extend(packet);
        // An error shows at the next reading, too.
        self.flush().is_ok()
    }

    fn flush(&mut self) -> io::Result<()> {
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

    /// Puts the next packet into `buffer`; `None` while there is none.
    ///
    /// # Errors
    /// When the peer closed, or sent what cannot be a packet.
    pub(crate) fn receive(&mut self, buffer: &mut [u8; DATAGRAM]) -> io::Result<Option<usize>> {
        loop {
            if let Some(length) = self.take_packet(buffer)? {
                return Ok(Some(length));
            }
            let mut chunk = [0; CHUNK];
            match self.tcp.read(&mut chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.read.extend(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Never holds more than one packet and one chunk: reading stops for each packet.
    fn take_packet(&mut self, buffer: &mut [u8; DATAGRAM]) -> io::Result<Option<usize>> {
        let Some((head, rest)) = self.read.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes(*head));
        if length > DATAGRAM {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Some(packet) = rest.get(..length) else {
            return Ok(None);
        };
        buffer[..length].copy_from_slice(packet);
        self.read.drain(..HEAD + length);
        Ok(Some(length))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A connected stream and the peer's end of it.
    fn connected() -> (Stream, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = Stream::dial(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        let local = stream.settle().unwrap();
        assert_eq!(local, Some(peer.peer_addr().unwrap()));
        (stream, peer)
    }

    /// Reads until a packet, an end, or an error comes: the other end wrote already.
    fn next(stream: &mut Stream) -> io::Result<Vec<u8>> {
        let mut buffer = [0; DATAGRAM];
        loop {
            if let Some(length) = stream.receive(&mut buffer)? {
                return Ok(buffer[..length].to_vec());
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn packets_arrive_whole_however_they_were_cut() {
        let (mut stream, mut peer) = connected();
        for piece in [&[0][..], &[3, 1, 2], &[3, 0, 1], &[9], &[0, 0]] {
            peer.write_all(piece).unwrap();
            peer.flush().unwrap();
        }
        assert_eq!(next(&mut stream).unwrap(), [1, 2, 3]);
        assert_eq!(next(&mut stream).unwrap(), [9]);
        assert_eq!(next(&mut stream).unwrap(), [0_u8; 0]);
    }

    #[test]
    fn each_packet_leaves_with_its_length() {
        let (mut stream, mut peer) = connected();
        assert!(stream.send(&[5, 6]) && stream.send(&[7]));
        let mut seen = [0; 7];
        peer.read_exact(&mut seen).unwrap();
        assert_eq!(seen, [0, 2, 5, 6, 0, 1, 7]);
    }

    #[test]
    fn a_peer_that_does_not_read_costs_packets_and_no_memory() {
        let (mut stream, _peer) = connected();
        let packet = [0; 1_200];
        let sent = (0..100_000).take_while(|_| stream.send(&packet)).count();
        assert!(sent < 100_000 && stream.unsent.len() <= UNSENT);
    }

    #[test]
    fn an_end_and_nonsense_are_errors() {
        let (mut stream, peer) = connected();
        drop(peer);
        assert!(next(&mut stream).is_err());
        let (mut stream, mut peer) = connected();
        peer.write_all(&[255, 255]).unwrap();
        assert!(next(&mut stream).is_err());
    }

    #[test]
    fn nobody_there_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let refused = Stream::dial(address).and_then(|mut stream| {
            loop {
                if stream.settle()?.is_some() {
                    return Ok(());
                }
                std::thread::yield_now();
            }
        });
        assert!(refused.is_err());
    }
}
