//! What only the peer can send, because it is encrypted: RTP with any header and payload, RTCP, SCTP and the
//! messages that open data channels. A hostile peer may end its own connection, and do nothing else.

use std::time::Duration;

use super::{
    EDGES, Script, damage,
    datagram::{by_kind, talking},
    opus,
    trusting::{self, RECORD, TAG, trusting},
};

/// Datagrams of one story.
const MOST: usize = 256;
/// What may be kept for an application that reads everything at once.
const CHANNELS: usize = 4_096;

/// What the peer's datagrams are made of.
struct Material {
    media: Vec<Vec<u8>>,
    /// SCTP packets of the peer with the tag of this association.
    association: Vec<Vec<u8>>,
    opus: Vec<Vec<u8>>,
    /// Number of the next chunk of data.
    next_chunk: u32,
}

impl Material {
    fn of(sent: &[Vec<u8>]) -> Self {
        let mut association = trusting::written();
        // Both ends write; keep what the callee would take: packets with its tag.
        let tag = verification_tag(&association);
        association.retain(|packet| packet.get(4..8) == Some(&tag[..]));
        assert!(!association.is_empty());
        let numbers = association.iter().filter_map(|packet| chunk_number(packet));
        let next_chunk = numbers.max().unwrap_or(0).wrapping_add(1);
        Self {
            media: by_kind(sent).swap_remove(2),
            association,
            opus: opus::packets(),
            next_chunk,
        }
    }
}

/// The tag of what the caller sends; it wrote "hello".
fn verification_tag(packets: &[Vec<u8>]) -> Vec<u8> {
    let hello = |packet: &&Vec<u8>| packet.windows(5).any(|part| part == b"hello");
    let packet = packets.iter().find(hello).expect("the caller wrote");
    packet[4..8].to_vec()
}

/// Number of the first chunk, when it is one of data (RFC 9260 section 3.3.1).
fn chunk_number(packet: &[u8]) -> Option<u32> {
    let number = packet.get(16..20).filter(|_| packet[12] == 0)?;
    Some(u32::from_be_bytes(number.try_into().ok()?))
}

#[test]
fn a_hostile_peer_harms_only_its_own_connection() {
    bolero::check!().for_each(|input: &[u8]| {
        let (mut pair, sent) = talking(trusting::provider());
        let mut material = Material::of(&sent);
        let mut script = Script(input);
        for _ in 0..MOST {
            if script.is_over() {
                break;
            }
            let datagram = match script.below(4) {
                0 => rtp(&material, &mut script),
                1 => rtcp(&mut script),
                2 => sctp(&material, &mut script),
                _ => message(&mut material, &mut script),
            };
            let (from, to) = (pair.caller.address, pair.callee.address);
            trusting(|| {
                let callee = &mut pair.callee.connection;
                callee.on_datagram(pair.now, from, to, &datagram);
                callee.advance(pair.now);
            });
            pair.callee.flush(pair.now);
            if script.below(4) == 0 {
                pair.step();
            }
        }
        assert!(pair.callee.channels.len() <= CHANNELS);
        assert!(pair.callee.connection.all_transceivers().len() <= 1);
        pair.run(Duration::from_millis(100));
    });
}

/// A real header damaged, or a sound one around any payload.
fn rtp(material: &Material, script: &mut Script<'_>) -> Vec<u8> {
    let mut packet = match script.below(2) {
        0 => damage(&material.media, script),
        _ => {
            let mut header = script.pick(&material.media)[..12].to_vec();
            // No extension, no sources named.
            header[0] = 0x80;
            header[2..4].copy_from_slice(&script.word().to_be_bytes());
            header.extend(damage(&material.opus, script));
            header
        }
    };
    packet.extend([0; TAG]);
    packet
}

/// A compound packet of up to eight reports, lengths right or wrong (RFC 3550 section 6, RFC 4585, RFC 3611).
fn rtcp(script: &mut Script<'_>) -> Vec<u8> {
    let mut packet = Vec::new();
    for _ in 0..1 + script.below(8) {
        let words = script.below(24);
        let told = match script.below(4) {
            0 => *script.pick(&EDGES) as u16,
            _ => words as u16,
        };
        packet.push(0x80 | (script.byte() & 0x3f));
        packet.push(200 + (script.byte() % 8));
        packet.extend(told.to_be_bytes());
        let body = script.bytes(words * 4);
        packet.extend(body);
        packet.resize(packet.len() + words * 4 - body.len(), 0);
    }
    packet.extend([0; TAG]);
    packet.extend([0x80, 0, 0, script.byte()]);
    packet
}

fn sctp(material: &Material, script: &mut Script<'_>) -> Vec<u8> {
    let mut packet = damage(&material.association, script);
    let tag = &material.association[0][4..8];
    if packet.len() >= 12 && script.below(8) > 0 {
        packet[4..8].copy_from_slice(tag);
    }
    sealed(packet)
}

/// Identifiers of what a message is (RFC 8831 section 8), and one that is none.
const PROTOCOLS: [u32; 9] = [50, 50, 50, 51, 52, 53, 54, 56, 0];

/// A chunk of data in its turn: a request to open a channel, or a message.
fn message(material: &mut Material, script: &mut Script<'_>) -> Vec<u8> {
    let mut packet = material.association[0][..12].to_vec();
    let length = script.below(300);
    let protocol = *script.pick(&PROTOCOLS);
    let body = match script.below(2) {
        0 => open_request(script),
        _ => script.bytes(length).to_vec(),
    };
    // Beginning and end of the message, mostly in one chunk.
    let flags = [3, 3, 3, script.byte() & 7][script.below(4)];
    packet.extend([0, flags]);
    packet.extend((16 + body.len() as u16).to_be_bytes());
    let skipped = [0, 0, 0, script.below(40) as u32][script.below(4)];
    let number = material.next_chunk.wrapping_add(skipped);
    material.next_chunk = number.wrapping_add(1);
    packet.extend(number.to_be_bytes());
    packet.extend(script.word().to_be_bytes());
    packet.extend(script.word().to_be_bytes());
    packet.extend(protocol.to_be_bytes());
    packet.extend(&body);
    packet.resize(packet.len().next_multiple_of(4), 0);
    sealed(packet)
}

/// RFC 8832 section 5.1, lengths right or wrong.
fn open_request(script: &mut Script<'_>) -> Vec<u8> {
    let (label, protocol) = (script.below(40), script.below(20));
    let wrong = match script.below(4) {
        0 => *script.pick(&EDGES) as u16,
        _ => label as u16,
    };
    let mut body = vec![3, script.byte(), 0, script.byte(), 0, 0, 0, script.byte()];
    body.extend(wrong.to_be_bytes());
    body.extend((protocol as u16).to_be_bytes());
    body.extend(script.bytes(label + protocol));
    body
}

/// With its checksum, as a record.
fn sealed(mut packet: Vec<u8>) -> Vec<u8> {
    if packet.len() >= 12 {
        packet[8..12].fill(0);
        let sum = checksum(&packet);
        packet[8..12].copy_from_slice(&sum.to_le_bytes());
    }
    packet.insert(0, RECORD);
    packet
}

/// CRC-32C, bit by bit (RFC 9260 appendix A).
fn checksum(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let step = |sum: u32| (sum >> 1) ^ (POLYNOMIAL & (sum & 1).wrapping_neg());
    let byte = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum));
    !bytes.iter().fold(u32::MAX, byte)
}

#[test]
fn the_peers_own_checksums_are_met() {
    let (_, sent) = talking(trusting::provider());
    let material = Material::of(&sent);
    for packet in &material.association {
        assert_eq!(sealed(packet.clone())[1..], packet[..]);
    }
}

/// Without this the target would only knock at closed doors.
#[test]
fn what_is_sealed_here_is_taken_for_proven() {
    let (mut pair, sent) = talking(trusting::provider());
    let mut material = Material::of(&sent);
    // A request that is right in everything: zeros, but for the stream id.
    let mut script = [0; 64];
    script[15..17].copy_from_slice(&[0, 78]);
    let (from, to) = (pair.caller.address, pair.callee.address);
    let mut media = material.media[0].clone();
    let sequence = u16::from_be_bytes([media[2], media[3]]).wrapping_add(50);
    media[2..4].copy_from_slice(&sequence.to_be_bytes());
    media.extend([0; TAG]);
    let heard = pair.callee.tracks[0].remote_track();
    let crate::media_stream_track::MediaStreamTrack::Audio(track) = heard else {
        panic!()
    };
    let mut tap = crate::ext::tap_remote(&track, 4).unwrap();
    let request = message(&mut material, &mut Script(&script));
    trusting(|| {
        for datagram in [&request, &media] {
            let callee = &mut pair.callee.connection;
            callee.on_datagram(pair.now, from, to, datagram);
            callee.advance(pair.now);
        }
    });
    pair.callee.flush(pair.now);
    assert!(tap.try_recv().is_some(), "the packet is not heard");
    assert_eq!(pair.callee.channels.len(), 1, "no channel was opened");
}
