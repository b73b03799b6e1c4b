//! Adapter: the cryptography of aws-lc: AES-128-GCM (RFC 5116 section 5.1), and keys from secrets (PBKDF2,
//! RFC 8018 section 5.2; HKDF, RFC 5869).

use std::num::NonZeroU32;

use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf, pbkdf2,
};
use thiserror::Error;
use zeroize::Zeroizing;

/// Bytes of the tag behind each ciphertext.
pub(crate) const TAG: usize = 16;
/// Bytes of an initialisation vector.
pub(crate) const IV: usize = 12;
/// Bytes of a key.
pub(crate) const KEY: usize = 16;

/// What all of LiveKit's clients use.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(100_000).expect("not zero");
const HKDF_INFO: [u8; 128] = [0; 128];

/// The cipher did not take it, or what came was not made with this key.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("refused by the cipher")]
pub(crate) struct Refused;

/// AES-128-GCM with one key.
pub(crate) struct Cipher(LessSafeKey);

impl Cipher {
    pub(crate) fn new(key: &[u8; KEY]) -> Result<Self, Refused> {
        let key = UnboundKey::new(&AES_128_GCM, key).map_err(|_| Refused)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Appends ciphertext and tag of `plain` to `out`; `clear` is vouched for, too. An `iv` must not be used
    /// twice with one key.
    ///
    /// # Errors
    /// When the cipher does not take so much; `out` may have grown by then.
    pub(crate) fn seal(
        &self,
        iv: [u8; IV],
        clear: &[u8],
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let start = out.len();
        out.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(iv);
        let sealed = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(clear), &mut out[start..]);
        out.extend_from_slice(sealed.map_err(|_| Refused)?.as_ref());
        Ok(())
    }

    /// Appends what was sealed to `out`.
    ///
    /// # Errors
    /// When it was not made with this key, or changed; `out` is as it was.
    pub(crate) fn open(
        &self,
        iv: [u8; IV],
        clear: &[u8],
        ciphertext: &[u8],
        tag: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        let start = out.len();
        out.resize(start + ciphertext.len(), 0);
        let nonce = Nonce::assume_unique_for_key(iv);
        let plain = &mut out[start..];
        let opened = self
            .0
            .open_separate_gather(nonce, Aad::from(clear), ciphertext, tag, plain);
        opened.map_err(|_| {
            out.truncate(start);
            Refused
        })
    }
}

/// How a key comes from a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kdf {
    /// For passphrases: slow on purpose, tens of milliseconds.
    Pbkdf2,
    /// For secrets that are random already.
    Hkdf,
}

/// Length of what HKDF is asked for.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// `N` bytes from a secret.
///
/// # Errors
/// When the secret is empty.
pub(crate) fn derive<const N: usize>(
    kdf: Kdf,
    secret: &[u8],
    salt: &[u8],
) -> Result<Zeroizing<[u8; N]>, Refused> {
    if secret.is_empty() {
        return Err(Refused);
    }
    let mut out = Zeroizing::new([0; N]);
    match kdf {
        Kdf::Pbkdf2 => {
            let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
            pbkdf2::derive(algorithm, ITERATIONS, salt, secret, &mut *out);
        }
        Kdf::Hkdf => {
            let root = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
            let expanded = root.expand(&[&HKDF_INFO], Length(N));
            let filled = expanded.and_then(|okm| okm.fill(&mut *out));
            filled.map_err(|_| Refused)?;
        }
    }
    Ok(out)
}
