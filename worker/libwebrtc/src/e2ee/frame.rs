//! Core: the format of a sealed frame of Opus.
//!
//! ```text
//! TOC | ciphertext | tag (16) | initialisation vector (12) | 12 | key index
//! ```
//! The first byte of the Opus packet (RFC 6716 section 3.1) stays readable for servers, and is vouched for.
//! LiveKit's server may put silence of its own between the frames; it marks it with a trailer that it told
//! when the room was joined.

use super::cipher::{Cipher, IV, Refused, TAG};

/// Bytes that stay in the clear.
const CLEAR: usize = 1;
/// Bytes of the vector's length and the key's index.
const TRAILER: usize = 2;
/// Bytes that sealing adds.
pub(crate) const OVERHEAD: usize = TAG + IV + TRAILER;

/// Puts the sealed frame into `out`, in place of what was there. `frame` must not be empty.
///
/// # Errors
/// When the cipher does not take it.
pub(crate) fn seal(
    cipher: &Cipher,
    index: u8,
    iv: [u8; IV],
    frame: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    let (clear, plain) = frame.split_at_checked(CLEAR).ok_or(Refused)?;
    out.clear();
    out.reserve(frame.len() + OVERHEAD);
    out.extend_from_slice(clear);
    cipher.seal(iv, clear, plain, out)?;
    out.extend_from_slice(&iv);
    out.extend_from_slice(&[IV as u8, index]);
    Ok(())
}

/// The parts of a sealed frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealed<'a> {
    clear: &'a [u8],
    ciphertext: &'a [u8],
    tag: &'a [u8],
    iv: [u8; IV],
    /// Of the key it was sealed with.
    pub(crate) index: u8,
}

impl<'a> Sealed<'a> {
    /// `None` when it is no sealed frame.
    pub(crate) fn read(frame: &'a [u8]) -> Option<Self> {
        let (rest, &[length, index]) = frame.split_last_chunk::<TRAILER>()?;
        if usize::from(length) != IV {
            return None;
        }
        let (rest, iv) = rest.split_last_chunk::<IV>()?;
        let (rest, tag) = rest.split_last_chunk::<TAG>()?;
        let (clear, ciphertext) = rest.split_at_checked(CLEAR)?;
        Some(Self {
            clear,
            ciphertext,
            tag,
            iv: *iv,
            index,
        })
    }

    /// Puts the frame into `out`, in place of what was there.
    ///
    /// # Errors
    /// When it was not made with this key, or changed.
    pub(crate) fn open(&self, cipher: &Cipher, out: &mut Vec<u8>) -> Result<(), Refused> {
        out.clear();
        out.extend_from_slice(self.clear);
        cipher.open(self.iv, self.clear, self.ciphertext, self.tag, out)
    }
}

/// What the server sends in the name of a participant who is silent: Opus in fullband, filled up with zeros.
const SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

/// The server's own silence without its trailer. Anything else under that trailer is not the server's to say:
/// it was not sealed, so whoever stands in between could have made it.
pub(crate) fn server_silence<'a>(frame: &'a [u8], trailer: &[u8]) -> Option<&'a [u8]> {
    if trailer.is_empty() {
        return None;
    }
    let frame = frame.strip_suffix(trailer)?;
    let padding = frame.strip_prefix(&SILENCE)?;
    padding.iter().all(|byte| *byte == 0).then_some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(frame: &[u8]) -> (Cipher, Vec<u8>) {
        let cipher = Cipher::new(&[7; 16]).unwrap();
        let mut out = vec![9; 3];
        seal(&cipher, 5, [1; IV], frame, &mut out).unwrap();
        (cipher, out)
    }

    #[test]
    fn a_sealed_frame_opens_to_what_it_was_and_hides_all_but_its_first_byte() {
        for length in [1, 2, 20, 1_275] {
            let frame: Vec<u8> = (0..length).map(|n| n as u8 | 0x40).collect();
            let (cipher, wire) = sealed(&frame);
            assert_eq!(wire.len(), frame.len() + OVERHEAD);
            assert_eq!(wire[0], frame[0]);
            assert!(length < 20 || !wire.windows(8).any(|part| part == &frame[1..9]));
            let parts = Sealed::read(&wire).unwrap();
            assert_eq!(parts.index, 5);
            let mut opened = vec![1];
            parts.open(&cipher, &mut opened).unwrap();
            assert_eq!(opened, frame);
        }
    }

    #[test]
    fn a_frame_that_was_changed_anywhere_does_not_open() {
        let (cipher, wire) = sealed(&[0x78; 40]);
        // The index only says which key; a wrong one is a wrong key.
        for at in 0..wire.len() - 1 {
            let mut wire = wire.clone();
            wire[at] ^= 1;
            let opened = Sealed::read(&wire).map(|parts| parts.open(&cipher, &mut Vec::new()));
            assert!(matches!(opened, None | Some(Err(Refused))), "byte {at}");
        }
    }

    #[test]
    fn scraps_are_no_sealed_frames() {
        let (_, wire) = sealed(&[0x78; 4]);
        for length in 0..=OVERHEAD {
            assert!(Sealed::read(&wire[wire.len() - length..]).is_none());
        }
        let empty = seal(
            &Cipher::new(&[7; 16]).unwrap(),
            0,
            [1; IV],
            &[],
            &mut Vec::new(),
        );
        assert_eq!(empty, Err(Refused));
    }

    #[test]
    fn only_silence_passes_under_the_trailer_of_the_server() {
        let trailer = b"trailer";
        let silence = [&SILENCE[..], &[0; 77]].concat();
        let marked = |frame: &[u8]| [frame, trailer].concat();
        assert_eq!(
            server_silence(&marked(&silence), trailer),
            Some(&silence[..])
        );
        assert_eq!(server_silence(&silence, trailer), None);
        assert_eq!(server_silence(&silence, &[]), None);
        let mut noise = silence;
        noise[40] = 1;
        assert_eq!(server_silence(&marked(&noise), trailer), None);
        assert_eq!(server_silence(&marked(&[0xf8]), trailer), None);
    }
}
