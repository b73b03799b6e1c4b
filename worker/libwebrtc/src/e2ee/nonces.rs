//! Core: initialisation vectors that never come twice under a key.
//!
//! Who opens reads the vector off the frame, so each side makes them as it likes. Everybody in a room may have
//! the same key; so 64 random bits name the cryptor and 32 bits count (NIST SP 800-38D section 8.2.1). They
//! tell less than LiveKit's own, which hold the stream's number and time.

use super::cipher::IV;

/// Makes the vectors of one cryptor.
pub(crate) struct Nonces {
    name: [u8; 8],
    count: u32,
}

impl Nonces {
    pub(crate) fn new() -> Self {
        Self {
            name: rand::random(),
            count: 0,
        }
    }

    pub(crate) fn next(&mut self) -> [u8; IV] {
        let mut iv = [0; IV];
        iv[..8].copy_from_slice(&self.name);
        iv[8..].copy_from_slice(&self.count.to_be_bytes());
        match self.count.checked_add(1) {
            Some(count) => self.count = count,
            None => *self = Self::new(),
        }
        iv
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_differ_over_the_wrap_and_between_cryptors() {
        let mut nonces = Nonces::new();
        let first = nonces.next();
        nonces.count = u32::MAX;
        let (last, wrapped) = (nonces.next(), nonces.next());
        assert_eq!(first[..8], last[..8]);
        assert_ne!(last[..8], wrapped[..8]);
        assert_eq!(wrapped[8..], [0; 4]);
        assert_ne!(Nonces::new().next(), Nonces::new().next());
    }
}
