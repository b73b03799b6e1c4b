//! Core: heads of a journal: whether they say what stands before them, and who signed them.

use std::collections::BTreeSet;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use serde::Deserialize;
use serde_json::Value;

use super::{Fault, Journal, hex};

/// A line that says how far its file had come.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What it says, as it can be kept elsewhere.
    pub says: Value,
    /// Who signed it, as hexadecimal digits of the public key; `None` = nobody.
    pub key: Option<String>,
    /// Its place among the records of the journal.
    pub(super) entry: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Says {
    segment: String,
    lines: u64,
    hash: String,
    at_ms: u64,
    key: Option<String>,
    signature: Option<String>,
}

/// An Ed25519 key, whose signatures are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(String);

impl PublicKey {
    /// From PEM, as `openssl pkey -pubout` writes it; `None` = it is none.
    pub fn from_pem(pem: &str) -> Option<Self> {
        // RFC 8410: the key stands behind a head of fixed bytes.
        const ED25519_INFO: [u8; 12] = [48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0];
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
        let key = info.as_ref().strip_prefix(&ED25519_INFO)?;
        (key.len() == 32).then(|| Self(hex(key)))
    }
}

/// Whether a head speaks of this place; returns who signed it.
pub(super) fn check(
    says: &Value,
    file: &str,
    lines: usize,
    hash: &str,
) -> Result<Option<String>, &'static str> {
    let says = Says::deserialize(says).map_err(|_| "is no head")?;
    if says.segment != file || says.lines != lines as u64 || says.hash != hash {
        return Err("the head is of another place, or what stands before it was changed");
    }
    match (&says.key, &says.signature) {
        (None, None) => Ok(None),
        (Some(key), Some(signature)) if is_signed(&says, key, signature) => Ok(says.key),
        _ => Err("the head's signature is wrong"),
    }
}

fn is_signed(says: &Says, key: &str, signature: &str) -> bool {
    let (Some(key), Some(signature)) = (bytes(key), bytes(signature)) else {
        return false;
    };
    let text = format!(
        "room-agent audit head 1\n{}\n{}\n{}\n{}\n",
        says.segment, says.lines, says.hash, says.at_ms
    );
    UnparsedPublicKey::new(&ED25519, key)
        .verify(text.as_bytes(), &signature)
        .is_ok()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let &[high, low] = pair else { return None };
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        })
        .collect()
}

impl Journal {
    /// Heads that one of these keys has signed; without keys, that anybody has.
    pub fn signed<'a>(
        &'a self,
        keys: &'a [PublicKey],
    ) -> impl DoubleEndedIterator<Item = &'a Head> {
        self.heads.iter().filter(move |head| match &head.key {
            Some(key) => keys.is_empty() || keys.iter().any(|known| known.0 == *key),
            None => false,
        })
    }

    /// How many records stand behind a head.
    pub fn behind(&self, head: &Head) -> usize {
        self.entries.len().saturating_sub(head.entry + 1)
    }

    /// Everybody who signed a head.
    pub fn signers(&self) -> BTreeSet<&str> {
        let signers = self.heads.iter();
        signers.filter_map(|head| head.key.as_deref()).collect()
    }

    /// What is wrong if only these keys sign: heads of others, or none at all.
    pub fn distrust(&self, keys: &[PublicKey]) -> Vec<Fault> {
        let is_known = |key: &String| keys.iter().any(|known| known.0 == *key);
        let is_strange = |head: &&Head| head.key.as_ref().is_some_and(|key| !is_known(key));
        let strange = self.heads.iter().filter(is_strange).map(|head| Fault {
            file: head.file.clone(),
            line: head.line,
            what: "the head is signed with another key".to_owned(),
        });
        let mut faults: Vec<Fault> = strange.collect();
        if self.signed(keys).next().is_none() {
            faults.push(Fault {
                file: String::new(),
                line: 0,
                what: "no head is signed with the key".to_owned(),
            });
        }
        faults
    }

    /// What is wrong if this was a head of the journal once.
    pub fn lacks(&self, kept: &Value) -> Option<Fault> {
        if self.heads.iter().any(|head| head.says == *kept) {
            return None;
        }
        let lines = kept["lines"].as_u64().unwrap_or_default();
        Some(Fault {
            file: kept["segment"].as_str().unwrap_or_default().to_owned(),
            line: usize::try_from(lines).unwrap_or_default() + 1,
            what: "the head that was kept is not there: lines were cut off or changed".to_owned(),
        })
    }
}
