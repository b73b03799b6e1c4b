//! End-to-end encryption, refused: keys can be stored, but nothing is encrypted with them. A
//! cryptor never claims to be enabled, reports failure when asked to work, and the data cryptor
//! answers with an error, so that nobody believes in a protection that is not there.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;

use crate::{
    native::packet_trailer::PacketTrailerHandler, peer_connection_factory::PeerConnectionFactory,
    rtp_receiver::RtpReceiver, rtp_sender::RtpSender,
};

/// Called when a cryptor's state changes, with the participant.
pub type OnStateChange = Box<dyn FnMut(String, EncryptionState) + Send + Sync>;

/// How a key is derived from a passphrase.
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub enum KeyDerivationAlgorithm {
    /// RFC 8018.
    PBKDF2,
    /// RFC 5869.
    HKDF,
}

/// Settings of a [`KeyProvider`].
#[derive(Debug, Clone)]
pub struct KeyProviderOptions {
    /// One key for everybody.
    pub shared_key: bool,
    /// How many ratchet steps to try.
    pub ratchet_window_size: i32,
    /// Salt of the derivation.
    pub ratchet_salt: Vec<u8>,
    /// How many failures in a row to bear.
    pub failure_tolerance: i32,
    /// Number of keys kept per participant.
    pub key_ring_size: i32,
    /// How keys are derived.
    pub key_derivation_algorithm: KeyDerivationAlgorithm,
}

/// Cipher of a cryptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptionAlgorithm {
    /// AES in Galois/counter mode.
    AesGcm,
    /// AES in cipher block chaining mode.
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
    /// Cannot decrypt.
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
    /// The ciphertext.
    pub data: Vec<u8>,
    /// The initialisation vector.
    pub iv: Vec<u8>,
    /// Which key was used.
    pub key_index: u32,
}

#[derive(Default)]
struct Keys {
    shared: HashMap<i32, Vec<u8>>,
    by_participant: HashMap<(String, i32), Vec<u8>>,
}

/// A store of keys. Keys are kept as given; ratcheting is refused.
#[derive(Clone)]
pub struct KeyProvider {
    keys: Arc<Mutex<Keys>>,
}

impl KeyProvider {
    /// An empty store.
    pub fn new(_options: KeyProviderOptions) -> Self {
        Self {
            keys: Arc::default(),
        }
    }

    /// Stores everybody's key.
    pub fn set_shared_key(&self, key_index: i32, key: Vec<u8>) -> bool {
        self.keys.lock().shared.insert(key_index, key);
        true
    }

    /// Answers `None`: refused.
    pub fn ratchet_shared_key(&self, _key_index: i32) -> Option<Vec<u8>> {
        None
    }

    /// Everybody's key.
    pub fn get_shared_key(&self, key_index: i32) -> Option<Vec<u8>> {
        self.keys.lock().shared.get(&key_index).cloned()
    }

    /// Stores a participant's key.
    pub fn set_key(&self, participant_id: String, key_index: i32, key: Vec<u8>) -> bool {
        self.keys
            .lock()
            .by_participant
            .insert((participant_id, key_index), key);
        true
    }

    /// Answers `None`: refused.
    pub fn ratchet_key(&self, _participant_id: String, _key_index: i32) -> Option<Vec<u8>> {
        None
    }

    /// A participant's key.
    pub fn get_key(&self, participant_id: String, key_index: i32) -> Option<Vec<u8>> {
        self.keys
            .lock()
            .by_participant
            .get(&(participant_id, key_index))
            .cloned()
    }

    /// Ignored: no frame is inspected.
    pub fn set_sif_trailer(&self, _trailer: Vec<u8>) {}
}

impl fmt::Debug for KeyProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyProvider").finish_non_exhaustive()
    }
}

/// A cryptor of media frames that refuses to work.
#[derive(Clone)]
pub struct FrameCryptor {
    shared: Arc<FrameCryptorShared>,
}

struct FrameCryptorShared {
    participant_id: String,
    key_index: Mutex<i32>,
    on_state_change: Mutex<Option<OnStateChange>>,
}

impl FrameCryptor {
    /// A cryptor for a sender. It does not encrypt, so the sender sends nothing from now on rather
    /// than something in the clear.
    pub fn new_for_rtp_sender(
        _peer_factory: &PeerConnectionFactory,
        participant_id: String,
        _algorithm: EncryptionAlgorithm,
        _key_provider: KeyProvider,
        sender: RtpSender,
    ) -> Self {
        sender.inner.block_sending();
        Self::refusing(participant_id)
    }

    /// A cryptor for a receiver. It does not decrypt.
    pub fn new_for_rtp_receiver(
        _peer_factory: &PeerConnectionFactory,
        participant_id: String,
        _algorithm: EncryptionAlgorithm,
        _key_provider: KeyProvider,
        _receiver: RtpReceiver,
    ) -> Self {
        Self::refusing(participant_id)
    }

    fn refusing(participant_id: String) -> Self {
        tracing::error!(
            "end-to-end encryption is not built into this engine; media is not protected by it"
        );
        let shared = FrameCryptorShared {
            participant_id,
            key_index: Mutex::new(0),
            on_state_change: Mutex::new(None),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Refused; asking for `true` reports [`EncryptionState::InternalError`].
    pub fn set_enabled(&self, enabled: bool) {
        if !enabled {
            return;
        }
        let handler = self.shared.on_state_change.lock().take();
        let Some(mut handler) = handler else { return };
        handler(
            self.shared.participant_id.clone(),
            EncryptionState::InternalError,
        );
        self.shared.on_state_change.lock().get_or_insert(handler);
    }

    /// Answers `false`.
    pub fn enabled(&self) -> bool {
        false
    }

    /// Remembers a key index.
    pub fn set_key_index(&self, index: i32) {
        *self.shared.key_index.lock() = index;
    }

    /// The key index set before.
    pub fn key_index(&self) -> i32 {
        *self.shared.key_index.lock()
    }

    /// The participant given at creation.
    pub fn participant_id(&self) -> String {
        self.shared.participant_id.clone()
    }

    /// Replaces the state callback.
    pub fn on_state_change(&self, handler: Option<OnStateChange>) {
        *self.shared.on_state_change.lock() = handler;
    }

    /// Ignored: no frame carries a trailer.
    pub fn set_packet_trailer_handler(&self, _handler: &PacketTrailerHandler) {}
}

/// A cryptor of data packets that refuses to work.
#[derive(Clone)]
pub struct DataPacketCryptor {}

impl DataPacketCryptor {
    /// A cryptor whose every call fails.
    pub fn new(_algorithm: EncryptionAlgorithm, _key_provider: KeyProvider) -> Self {
        Self {}
    }

    /// Refused.
    ///
    /// # Errors
    /// Always.
    pub fn encrypt(
        &self,
        _participant_id: &str,
        _key_index: u32,
        _data: &[u8],
    ) -> Result<EncryptedPacket, Box<dyn std::error::Error>> {
        Err("end-to-end encryption is not built into this engine".into())
    }

    /// Refused.
    ///
    /// # Errors
    /// Always.
    pub fn decrypt(
        &self,
        _participant_id: &str,
        _encrypted_packet: &EncryptedPacket,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        Err("end-to-end encryption is not built into this engine".into())
    }
}
