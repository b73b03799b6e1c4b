//! Core: where one message of a TURN server ends and the next begins in a byte stream (RFC 8656 sections
//! 3.1 and 12.5): STUN messages and channel data, the latter padded to four bytes.

/// Bytes before the content of a STUN message, and of channel data.
const STUN_HEAD: usize = 20;
const CHANNEL_HEAD: usize = 4;

/// The bytes that are not a whole message yet.
#[derive(Debug, Default)]
pub(super) struct Framing {
    held: Vec<u8>,
}

/// The stream is not one of TURN: nothing after it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nonsense;

impl Framing {
    /// Takes bytes in, and hands out each message that is whole, without its padding.
    ///
    /// # Errors
    /// When a message cannot begin like this.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        mut message: impl FnMut(&[u8]),
    ) -> Result<(), Nonsense> {
        self.held.extend(bytes);
        let mut start = 0;
        while let Some((content, padded)) = measure(&self.held[start..])? {
            message(&self.held[start..start + content]);
            start += padded;
        }
        self.held.drain(..start);
        Ok(())
    }
}

/// Length of the first message, and with padding; `None` while it is not whole. No message is longer
/// than 64 KiB, so no more than that is ever held.
fn measure(bytes: &[u8]) -> Result<Option<(usize, usize)>, Nonsense> {
    let Some(([first, _, high, low], _)) = bytes.split_first_chunk::<CHANNEL_HEAD>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let (content, padded) = match first >> 6 {
        0 if length % 4 == 0 => (STUN_HEAD + length, STUN_HEAD + length),
        1 => (
            CHANNEL_HEAD + length,
            (CHANNEL_HEAD + length).next_multiple_of(4),
        ),
        _ => return Err(Nonsense),
    };
    Ok((bytes.len() >= padded).then_some((content, padded)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A STUN message of eight bytes of content, and three channel messages of odd lengths.
    fn stream() -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut stun = vec![0, 1, 0, 8];
        stun.extend([7; 24]);
        let mut messages = vec![stun];
        for length in [1_u8, 5, 0] {
            let mut channel = vec![0x40, 0, 0, length];
            channel.extend(vec![length; usize::from(length)]);
            messages.push(channel);
        }
        let mut bytes = Vec::new();
        for message in &messages {
            bytes.extend(message);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        (bytes, messages)
    }

    #[test]
    fn messages_come_out_whole_however_the_stream_was_cut() {
        let (bytes, messages) = stream();
        for piece in 1..bytes.len() {
            let mut framing = Framing::default();
            let mut seen = Vec::new();
            for chunk in bytes.chunks(piece) {
                let read = framing.read(chunk, |message| seen.push(message.to_vec()));
                assert_eq!(read, Ok(()));
            }
            assert_eq!(seen, messages, "in pieces of {piece}");
            assert!(framing.held.is_empty());
        }
    }

    #[test]
    fn what_cannot_be_a_message_ends_the_stream() {
        for head in [[0x80, 0, 0, 0], [0xff; 4], [0, 1, 0, 3]] {
            assert_eq!(Framing::default().read(&head, |_| ()), Err(Nonsense));
        }
    }

    #[test]
    fn any_stream_is_read_or_refused_and_little_is_held() {
        bolero::check!().for_each(|input: &[u8]| {
            let mut framing = Framing::default();
            let (mut taken, mut given) = (0, 0);
            for chunk in input.chunks(7) {
                let read = framing.read(chunk, |message| given += message.len());
                taken += chunk.len();
                assert!(given <= taken && framing.held.len() <= 1 << 17);
                if read.is_err() {
                    break;
                }
            }
        });
    }
}
