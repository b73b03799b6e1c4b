//! Adapter: cryptography that takes everything for proven while a test says so, because what stands behind it is to
//! be reached: the parsers of SRTP payloads, RTCP and SCTP. Otherwise it is str0m's own.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    sync::Arc,
    time::Instant,
};

use str0m::crypto::{
    AeadAes128GcmCipher, AeadAes256GcmCipher, CryptoError, CryptoProvider, SrtpProvider,
    SupportedAeadAes128Gcm, SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
    dtls::{
        DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion,
        ProtocolVersion,
    },
    from_feature_flags,
};

/// First byte of a datagram that [`trusting`] hands to SCTP as it is: a DTLS record of application data.
pub(super) const RECORD: u8 = 23;
/// Length of the tag of AES-GCM, which is not looked at.
pub(super) const TAG: usize = 16;

thread_local! {
    static TRUSTS: Cell<bool> = const { Cell::new(false) };
    static WRITTEN: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// While this runs, ciphers hand through what they are given and tags are not checked.
pub(super) fn trusting<R>(act: impl FnOnce() -> R) -> R {
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            TRUSTS.set(false);
        }
    }
    let _ends = Ends;
    TRUSTS.set(true);
    act()
}

/// What this thread wrote into associations since the last call, in the clear.
pub(super) fn written() -> Vec<Vec<u8>> {
    WRITTEN.take()
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        srtp_provider: &Open,
        dtls_provider: &Open,
        ..from_feature_flags()
    })
}

#[derive(Debug)]
struct Open;

impl SrtpProvider for Open {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        from_feature_flags().srtp_provider.aes_128_cm_sha1_80()
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Self
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Self
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        let real = from_feature_flags().srtp_provider;
        real.srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        let real = from_feature_flags().srtp_provider;
        real.srtp_aes_256_ecb_round(key, input, output);
    }
}

impl SupportedAeadAes128Gcm for Open {
    fn create_cipher(&self, key: [u8; 16], encrypt: bool) -> Box<dyn AeadAes128GcmCipher> {
        let real = from_feature_flags().srtp_provider.aead_aes_128_gcm();
        Box::new(OpenCipher(real.create_cipher(key, encrypt)))
    }
}

impl SupportedAeadAes256Gcm for Open {
    fn create_cipher(&self, key: [u8; 32], encrypt: bool) -> Box<dyn AeadAes256GcmCipher> {
        let real = from_feature_flags().srtp_provider.aead_aes_256_gcm();
        Box::new(OpenCipher(real.create_cipher(key, encrypt)))
    }
}

#[derive(Debug)]
struct OpenCipher<C: ?Sized>(Box<C>);

impl AeadAes128GcmCipher for OpenCipher<dyn AeadAes128GcmCipher> {
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
        match TRUSTS.get() {
            true => Ok(hand_through(input, output)),
            false => self.0.decrypt(iv, aads, input, output),
        }
    }
}

impl AeadAes256GcmCipher for OpenCipher<dyn AeadAes256GcmCipher> {
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
        match TRUSTS.get() {
            true => Ok(hand_through(input, output)),
            false => self.0.decrypt(iv, aads, input, output),
        }
    }
}

fn hand_through(input: &[u8], output: &mut [u8]) -> usize {
    let length = input.len().saturating_sub(TAG);
    output[..length].copy_from_slice(&input[..length]);
    length
}

impl DtlsProvider for Open {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        from_feature_flags().dtls_provider.generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let real = from_feature_flags().dtls_provider;
        Ok(Box::new(OpenDtls {
            real: real.new_dtls(cert, now, version, mtu)?,
            arrived: VecDeque::new(),
        }))
    }
}

#[derive(Debug)]
struct OpenDtls {
    real: Box<dyn DtlsInstance>,
    arrived: VecDeque<Vec<u8>>,
}

impl DtlsInstance for OpenDtls {
    fn set_active(&mut self, active: bool) {
        self.real.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        match packet.split_first() {
            Some((&RECORD, plain)) if TRUSTS.get() => self.arrived.push_back(plain.to_vec()),
            _ => self.real.handle_packet(packet)?,
        }
        Ok(())
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let Some(plain) = self.arrived.pop_front() else {
            return self.real.poll_output(buffer);
        };
        let length = plain.len().min(buffer.len());
        buffer[..length].copy_from_slice(&plain[..length]);
        DtlsOutput::ApplicationData(&buffer[..length])
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.real.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        WRITTEN.with_borrow_mut(|written| written.push(data.to_vec()));
        self.real.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.real.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.real.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.real.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.real.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.real.close()
    }
}
