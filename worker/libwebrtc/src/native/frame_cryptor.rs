//! End-to-end encryption: keys, and what seals and opens with them. The format is that of LiveKit's clients.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;

use crate::{
    e2ee::{
        cipher::Kdf,
        keys::{KeyStore, Rules},
        message::{self, MessageError},
        nonces::Nonces,
    },
    engine::cryptor::Cryptor,
    media_stream_track::MediaStreamTrack,
    native::packet_trailer::PacketTrailerHandler,
    peer_connection_factory::PeerConnectionFactory,
    rtp_receiver::RtpReceiver,
    rtp_sender::RtpSender,
};

/// Called when a cryptor's state changes, with the participant.
pub type OnStateChange = Box<dyn FnMut(String, EncryptionState) + Send + Sync>;

/// How a key is derived from a secret.
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub enum KeyDerivationAlgorithm {
    /// For passphrases (RFC 8018 section 5.2): 100 000 rounds of HMAC-SHA-256, tens of milliseconds.
    PBKDF2,
    /// For secrets that are random already (RFC 5869), with SHA-256.
    HKDF,
}

/// Settings of a [`KeyProvider`].
#[derive(Debug, Clone)]
pub struct KeyProviderOptions {
    /// One key for everybody.
    pub shared_key: bool,
    /// How many ratchet steps to try when a key does not fit: 0–255, beyond it the nearest of these.
    pub ratchet_window_size: i32,
    /// Salt of the derivation.
    pub ratchet_salt: Vec<u8>,
    /// How many failures in a row to bear; after more the state is told, and the key not tried until it is set
    /// anew. Negative: the first failure is told, and the key is always tried.
    pub failure_tolerance: i32,
    /// Number of keys kept per participant: 1–255; none or less means 16.
    pub key_ring_size: i32,
    /// How keys are derived.
    pub key_derivation_algorithm: KeyDerivationAlgorithm,
}

/// Cipher of a cryptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptionAlgorithm {
    /// AES-128 in Galois/counter mode.
    AesGcm,
    /// AES in cipher block chaining mode: not built. Whoever asks for it seals and opens nothing.
    AesCbc,
}

/// How a cryptor fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptionState {
    /// Not begun.
    New,
    /// Works.
    Ok,
    /// Cannot encrypt.
    EncryptionFailed,
    /// Cannot decrypt: another key, or no sealed frame at all.
    DecryptionFailed,
    /// Has no key.
    MissingKey,
    /// Moved to the next key.
    KeyRatcheted,
    /// Does not work at all.
    InternalError,
}

/// An encrypted data packet.
#[derive(Debug, Clone)]
pub struct EncryptedPacket {
    /// The ciphertext and its tag of 16 bytes.
    pub data: Vec<u8>,
    /// The initialisation vector: 12 bytes.
    pub iv: Vec<u8>,
    /// Which key was used.
    pub key_index: u32,
}

/// The keys of an application: one for everybody, or one per participant, each at several indices. Setting or
/// ratcheting one derives it in the call, see [`KeyDerivationAlgorithm`]. Wiped when dropped.
///
/// An index of −1 stands for where a key was set last; one beyond the ring wraps around when a key is set.
#[derive(Clone)]
pub struct KeyProvider {
    store: Arc<KeyStore>,
}

impl KeyProvider {
    /// Without keys.
    pub fn new(options: KeyProviderOptions) -> Self {
        let kdf = match options.key_derivation_algorithm {
            KeyDerivationAlgorithm::PBKDF2 => Kdf::Pbkdf2,
            KeyDerivationAlgorithm::HKDF => Kdf::Hkdf,
        };
        let rules = Rules::new(options.shared_key, kdf, options.ratchet_salt).limits(
            options.ratchet_window_size,
            options.failure_tolerance,
            options.key_ring_size,
        );
        Self {
            store: Arc::new(KeyStore::new(rules)),
        }
    }

    /// Sets everybody's key; false when keys are not shared, or the secret is empty.
    pub fn set_shared_key(&self, key_index: i32, key: Vec<u8>) -> bool {
        self.store.set_shared(key_index, key)
    }

    /// Moves everybody's key on; answers the new secret, `None` when there was no key.
    pub fn ratchet_shared_key(&self, key_index: i32) -> Option<Vec<u8>> {
        self.store.ratchet_shared(key_index)
    }

    /// Everybody's secret.
    pub fn get_shared_key(&self, key_index: i32) -> Option<Vec<u8>> {
        self.store.shared(key_index)
    }

    /// Sets a participant's key; false when the secret is empty.
    pub fn set_key(&self, participant_id: String, key_index: i32, key: Vec<u8>) -> bool {
        self.store.set(&participant_id, key_index, key)
    }

    /// Moves a participant's key on; answers the new secret, `None` when there was no key.
    pub fn ratchet_key(&self, participant_id: String, key_index: i32) -> Option<Vec<u8>> {
        self.store.ratchet(&participant_id, key_index)
    }

    /// A participant's secret.
    pub fn get_key(&self, participant_id: String, key_index: i32) -> Option<Vec<u8>> {
        self.store.get(&participant_id, key_index)
    }

    /// How the server marks silence of its own, which it cannot seal. Anything else under that mark is dropped.
    pub fn set_sif_trailer(&self, trailer: Vec<u8>) {
        self.store.set_trailer(trailer);
    }
}

impl fmt::Debug for KeyProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyProvider").finish_non_exhaustive()
    }
}

/// Seals what a sender sends, or opens what a receiver receives, once it is enabled. What cannot be sealed is
/// not sent; what cannot be opened is dropped, and shows in neither stream nor tap.
///
/// Dropping this handle changes nothing: the track stays guarded.
#[derive(Clone)]
pub struct FrameCryptor {
    cryptor: Arc<Cryptor>,
}

impl FrameCryptor {
    /// A cryptor for a sender, whatever audio track that sends. Not enabled.
    pub fn new_for_rtp_sender(
        _peer_factory: &PeerConnectionFactory,
        participant_id: String,
        algorithm: EncryptionAlgorithm,
        key_provider: KeyProvider,
        sender: RtpSender,
    ) -> Self {
        let this = Self::new(participant_id, algorithm, key_provider);
        sender.inner.set_cryptor(this.cryptor.clone());
        this
    }

    /// A cryptor for the present audio track of a receiver. Not enabled. Video is not received, so there a
    /// cryptor has nothing to do.
    pub fn new_for_rtp_receiver(
        _peer_factory: &PeerConnectionFactory,
        participant_id: String,
        algorithm: EncryptionAlgorithm,
        key_provider: KeyProvider,
        receiver: RtpReceiver,
    ) -> Self {
        let this = Self::new(participant_id, algorithm, key_provider);
        if let MediaStreamTrack::Audio(track) = receiver.inner.remote_track()
            && let Some(remote) = track.inner.remote()
        {
            remote.set_cryptor(this.cryptor.clone());
        }
        this
    }

    fn new(
        participant_id: String,
        algorithm: EncryptionAlgorithm,
        key_provider: KeyProvider,
    ) -> Self {
        let has_cipher = algorithm == EncryptionAlgorithm::AesGcm;
        Self {
            cryptor: Cryptor::new(participant_id, key_provider.store, has_cipher),
        }
    }

    /// While it is not enabled, packets pass as they are.
    pub fn set_enabled(&self, enabled: bool) {
        self.cryptor.set_enabled(enabled);
    }

    /// Whether packets are sealed or opened.
    pub fn enabled(&self) -> bool {
        self.cryptor.enabled()
    }

    /// Which key to seal with; 0 at first. What is opened names its key itself.
    pub fn set_key_index(&self, index: i32) {
        self.cryptor.set_key_index(index);
    }

    /// The key index set before.
    pub fn key_index(&self) -> i32 {
        self.cryptor.key_index()
    }

    /// The participant given at creation.
    pub fn participant_id(&self) -> String {
        self.cryptor.participant().to_owned()
    }

    /// Replaces the state callback. A state that was entered while there was none is told now.
    pub fn on_state_change(&self, handler: Option<OnStateChange>) {
        self.cryptor.on_state(handler);
    }

    /// Ignored: no picture passes through this engine.
    pub fn set_packet_trailer_handler(&self, _handler: &PacketTrailerHandler) {}
}

/// Seals and opens data packets.
#[derive(Clone)]
pub struct DataPacketCryptor {
    store: Arc<KeyStore>,
    has_cipher: bool,
    /// A leaf.
    nonces: Arc<Mutex<Nonces>>,
}

impl DataPacketCryptor {
    /// A cryptor with the keys of a provider.
    pub fn new(algorithm: EncryptionAlgorithm, key_provider: KeyProvider) -> Self {
        Self {
            store: key_provider.store,
            has_cipher: algorithm == EncryptionAlgorithm::AesGcm,
            nonces: Arc::new(Mutex::new(Nonces::new())),
        }
    }

    /// Seals a packet with a participant's key.
    ///
    /// # Errors
    /// When there is no key at that index.
    pub fn encrypt(
        &self,
        participant_id: &str,
        key_index: u32,
        data: &[u8],
    ) -> Result<EncryptedPacket, Box<dyn std::error::Error>> {
        self.check()?;
        let iv = self.nonces.lock().next();
        let data = message::seal(&self.store, participant_id, key_index, iv, data)?;
        Ok(EncryptedPacket {
            data,
            iv: iv.to_vec(),
            key_index,
        })
    }

    /// Opens a packet of a participant. When the key does not fit, those that follow it are tried; the first
    /// time they are derived in the call, which takes up to a second with upstream's usual window of 16.
    ///
    /// # Errors
    /// When there is no key at that index, it does not fit, or it failed more often than was to be borne.
    pub fn decrypt(
        &self,
        participant_id: &str,
        encrypted_packet: &EncryptedPacket,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        self.check()?;
        let EncryptedPacket {
            data,
            iv,
            key_index,
        } = encrypted_packet;
        let opened = message::open(&self.store, participant_id, *key_index, iv, data)?;
        Ok(opened)
    }

    fn check(&self) -> Result<(), MessageError> {
        match self.has_cipher {
            true => Ok(()),
            false => Err(MessageError::NoCipher),
        }
    }
}
