//! Adapter: str0m's cryptography, watched: how many SRTP packets failed their authentication.
//!
//! str0m drops such packets and tells nobody. The ciphers here are its own, and count for the thread that
//! uses them; a connection reads the count around each datagram it hands over, which str0m handles on
//! that thread and at once. Decides nothing.

use std::{
    cell::Cell,
    sync::{Arc, OnceLock},
};

use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, Aes128CmSha1_80Cipher, CryptoError, CryptoProvider,
    Sha1HmacProvider, SrtpProvider, SupportedAeadAes128Gcm, SupportedAeadAes256Gcm,
    SupportedAes128CmSha1_80, from_feature_flags,
};

thread_local! {
    static CHECKS: Cell<Checks> = const { Cell::new(Checks { passed: 0, failed: 0 }) };
}

/// Authentications of SRTP and SRTCP packets.
#[derive(Clone, Copy, Default)]
pub(super) struct Checks {
    pub(super) passed: u32,
    pub(super) failed: u32,
}

/// Lets str0m handle a datagram; with what it authenticated in it.
pub(super) fn watch<R>(handle: impl FnOnce() -> R) -> (R, Checks) {
    CHECKS.set(Checks::default());
    let result = handle();
    (result, CHECKS.get())
}

fn note(passed: bool) {
    let mut checks = CHECKS.get();
    match passed {
        true => checks.passed += 1,
        false => checks.failed += 1,
    }
    CHECKS.set(checks);
}

/// What connections are made with.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static WATCHED: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let watched = WATCHED.get_or_init(|| {
        Arc::new(CryptoProvider {
            srtp_provider: &Watch,
            sha1_hmac_provider: &Watch,
            ..real().clone()
        })
    });
    watched.clone()
}

fn real() -> &'static CryptoProvider {
    static REAL: OnceLock<CryptoProvider> = OnceLock::new();
    REAL.get_or_init(from_feature_flags)
}

#[derive(Debug)]
struct Watch;

impl SrtpProvider for Watch {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        &Self
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Self
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Self
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        real()
            .srtp_provider
            .srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        real()
            .srtp_provider
            .srtp_aes_256_ecb_round(key, input, output);
    }
}

/// In counter mode the tag of a packet is compared before anything is deciphered: what is not
/// deciphered afterwards has failed. Tags of STUN messages are made here, too.
impl Sha1HmacProvider for Watch {
    fn sha1_hmac(&self, key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
        if is_srtp(payloads.first().copied().unwrap_or_default()) {
            note(false);
        }
        real().sha1_hmac_provider.sha1_hmac(key, payloads)
    }
}

/// SRTP and SRTCP among what shares a socket (RFC 9443 section 3).
fn is_srtp(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(128..=191))
}

impl SupportedAes128CmSha1_80 for Watch {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn Aes128CmSha1_80Cipher> {
        let ciphers = real().srtp_provider.aes_128_cm_sha1_80();
        Box::new(Watched(ciphers.create_cipher(key, encrypt)))
    }
}

impl SupportedAeadAes128Gcm for Watch {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        let ciphers = real().srtp_provider.aead_aes_128_gcm();
        Box::new(Watched(ciphers.create_cipher(key, encrypt)))
    }
}

impl SupportedAeadAes256Gcm for Watch {
    fn create_cipher(&self, key: [u8; 32], encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        let ciphers = real().srtp_provider.aead_aes_256_gcm();
        Box::new(Watched(ciphers.create_cipher(key, encrypt)))
    }
}

/// A cipher of str0m's, counted.
#[derive(Debug)]
struct Watched<C: ?Sized>(Box<C>);

impl Aes128CmSha1_80Cipher for Watched<dyn Aes128CmSha1_80Cipher> {
    fn encrypt(
        &mut self,
        iv: &[u8; 16],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.0.encrypt(iv, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 16],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        let mut checks = CHECKS.get();
        checks.failed = checks.failed.saturating_sub(1);
        CHECKS.set(checks);
        note(true);
        self.0.decrypt(iv, input, output)
    }
}

impl AeadAes128GcmCipher for Watched<dyn AeadAes128GcmCipher> {
    fn encrypt(
        &mut self,
        iv: &[u8; 12],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.0.encrypt(iv, aad, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        noted(self.0.decrypt(iv, aads, input, output))
    }
}

impl AeadAes256GcmCipher for Watched<dyn AeadAes256GcmCipher> {
    fn encrypt(
        &mut self,
        iv: &[u8; 12],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        self.0.encrypt(iv, aad, input, output)
    }

    fn decrypt(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        noted(self.0.decrypt(iv, aads, input, output))
    }
}

fn noted(result: Result<usize, CryptoError>) -> Result<usize, CryptoError> {
    note(result.is_ok());
    result
}
