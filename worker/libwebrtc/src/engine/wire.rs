//! Core: what can be read off a datagram without its keys.
//!
//! RTP shares its socket with STUN, DTLS and RTCP (RFC 7983); its header travels in the clear even
//! when the payload is encrypted (RFC 3711, 3.1). Used for counting and for naming what was sent.
//! Decrypts and decides nothing.

/// The part of an RTP header that names a packet (RFC 3550, 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RtpHead {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
}

/// Bytes of an RTP header without extensions.
const RTP_HEADER: usize = 12;

/// The head of an RTP packet; `None` for everything else that comes and goes on the socket.
pub(crate) fn rtp_head(datagram: &[u8]) -> Option<RtpHead> {
    let is_media = matches!(datagram.first(), Some(128..=191));
    if !is_media || datagram.len() < RTP_HEADER {
        return None;
    }
    // RTCP packet types stand where RTP has marker and payload type (RFC 5761, 4).
    if (64..=95).contains(&(datagram[1] & 0x7f)) {
        return None;
    }
    let word = |at: usize| {
        let bytes = [
            datagram[at],
            datagram[at + 1],
            datagram[at + 2],
            datagram[at + 3],
        ];
        u32::from_be_bytes(bytes)
    };
    Some(RtpHead {
        ssrc: word(8),
        sequence: u16::from_be_bytes([datagram[2], datagram[3]]),
        timestamp: word(4),
    })
}

/// Continues a 16-bit sequence beyond its wrap: the value nearest to the last one.
pub(crate) fn extend_sequence(last: Option<u64>, sequence: u16) -> u64 {
    let Some(last) = last else {
        return u64::from(sequence);
    };
    let step = sequence.wrapping_sub(last as u16).cast_signed();
    last.saturating_add_signed(i64::from(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rtp() -> Vec<u8> {
        vec![
            0x90, 0xef, 0x12, 0x34, 0, 0, 3, 0xc0, 0xca, 0xfe, 0, 1, 9, 9,
        ]
    }

    #[test]
    fn the_head_of_a_packet_is_read() {
        let head = RtpHead {
            ssrc: 0xcafe_0001,
            sequence: 0x1234,
            timestamp: 960,
        };
        assert_eq!(rtp_head(&rtp()), Some(head));
    }

    #[test]
    fn stun_dtls_rtcp_and_scraps_are_no_rtp() {
        let report = |kind: u8| {
            let mut datagram = rtp();
            datagram[1] = kind;
            datagram
        };
        assert_eq!(rtp_head(&report(200)), None);
        assert_eq!(rtp_head(&report(206)), None);
        assert!(rtp_head(&report(0x80 | 111)).is_some());
        for first in [0, 1, 20, 22, 63, 64, 79, 127, 192, 255] {
            let mut datagram = rtp();
            datagram[0] = first;
            assert_eq!(rtp_head(&datagram), None, "{first}");
        }
        for length in 0..RTP_HEADER {
            assert_eq!(rtp_head(&rtp()[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_sequence_goes_on_over_its_wrap_in_both_directions() {
        let first = extend_sequence(None, 65_534);
        let wrapped = extend_sequence(Some(first), 1);
        assert_eq!((first, wrapped), (65_534, 65_537));
        assert_eq!(extend_sequence(Some(wrapped), 65_535), 65_535);
    }
}
