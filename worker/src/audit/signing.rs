//! Adapter: the key that signs heads of the journal: Ed25519, from PKCS#8 in PEM.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Value, json};

use super::chain::hex;
use crate::config::Secret;

/// What is signed begins with this, so that no other signature of the key can stand for a head.
const PURPOSE: &str = "room-agent audit head 1";

/// Signs what this worker has written.
pub(super) struct SigningKey(Ed25519KeyPair);

/// Why a key is of no use. Says nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no key, or one in another form.
    #[error(
        "expected a private key as PKCS#8 in PEM, such as `openssl genpkey -algorithm ed25519` writes"
    )]
    NoKey,
    /// It is for something else.
    #[error("expected an Ed25519 key")]
    OtherAlgorithm,
}

/// How far a segment had come.
pub(super) struct Head<'a> {
    pub(super) segment: &'a str,
    /// Lines of it so far.
    pub(super) lines: u64,
    /// Of the last one, in hexadecimal digits.
    pub(super) hash: String,
    /// Milliseconds since 1970.
    pub(super) at_ms: u64,
}

impl SigningKey {
    /// Reads the key; `None` = there is none.
    ///
    /// # Errors
    /// When it is no key for this.
    pub(super) fn read(pem: &Secret) -> Result<Option<Self>, KeyError> {
        if pem.is_empty() {
            return Ok(None);
        }
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes())
            .map_err(|_| KeyError::NoKey)?;
        let pair = Ed25519KeyPair::from_pkcs8(key.secret_pkcs8_der());
        let pair = pair.map_err(|_| KeyError::OtherAlgorithm)?;
        Ok(Some(Self(pair)))
    }

    /// Public key and signature, in hexadecimal digits.
    fn sign(&self, head: &Head<'_>) -> Option<(String, String)> {
        let Head {
            segment,
            lines,
            hash,
            at_ms,
        } = head;
        let text = format!("{PURPOSE}\n{segment}\n{lines}\n{hash}\n{at_ms}\n");
        let signature = self.0.try_sign(text.as_bytes()).ok()?;
        let public = hex(self.0.public_key().as_ref());
        Some((public, hex(signature.as_ref())))
    }
}

impl Head<'_> {
    /// As it is written, signed if there is a key.
    pub(super) fn to_json(&self, key: Option<&SigningKey>) -> Value {
        let mut json = json!({
            "segment": self.segment,
            "lines": self.lines,
            "hash": self.hash,
            "at_ms": self.at_ms,
        });
        if let Some((public, signature)) = key.and_then(|key| key.sign(self)) {
            json["key"] = public.into();
            json["signature"] = signature.into();
        }
        json
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}
