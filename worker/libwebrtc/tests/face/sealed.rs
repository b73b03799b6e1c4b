//! End-to-end encryption as the room library uses it: cryptors on sender and receiver, data packets.

use libwebrtc::native::frame_cryptor::{
    DataPacketCryptor, EncryptionAlgorithm, EncryptionState, FrameCryptor, KeyDerivationAlgorithm,
    KeyProvider, KeyProviderOptions,
};

use super::*;

/// Bytes that sealing adds to a packet.
const OVERHEAD: usize = 30;

fn keys(window: i32, secret: &str) -> KeyProvider {
    let provider = KeyProvider::new(KeyProviderOptions {
        shared_key: true,
        ratchet_window_size: window,
        ratchet_salt: b"LKFrameEncryptionKey".to_vec(),
        failure_tolerance: -1,
        key_ring_size: 16,
        key_derivation_algorithm: KeyDerivationAlgorithm::PBKDF2,
    });
    assert!(secret.is_empty() || provider.set_shared_key(0, secret.into()));
    provider
}

fn guard(cryptor: &FrameCryptor) -> Receiver<(String, EncryptionState)> {
    let (tell, told) = channel(16);
    cryptor.set_enabled(true);
    cryptor.on_state_change(Some(Box::new(move |who, state| {
        tell.try_send((who, state)).unwrap();
    })));
    told
}

/// Seals what the only sender sends.
fn seal(end: &End, keys: &KeyProvider) -> (FrameCryptor, Receiver<(String, EncryptionState)>) {
    let cryptor = FrameCryptor::new_for_rtp_sender(
        &PeerConnectionFactory::default(),
        "caller".to_owned(),
        EncryptionAlgorithm::AesGcm,
        keys.clone(),
        end.pc.senders().remove(0),
    );
    let told = guard(&cryptor);
    (cryptor, told)
}

/// Opens what the only receiver receives.
fn open(end: &End, keys: &KeyProvider) -> (FrameCryptor, Receiver<(String, EncryptionState)>) {
    let cryptor = FrameCryptor::new_for_rtp_receiver(
        &PeerConnectionFactory::default(),
        "caller".to_owned(),
        EncryptionAlgorithm::AesGcm,
        keys.clone(),
        end.pc.receivers().remove(0),
    );
    let told = guard(&cryptor);
    (cryptor, told)
}

struct Talk {
    caller: End,
    callee: End,
    source: NativeAudioSource,
    track: RtcAudioTrack,
    leaving: ext::Tap,
    arriving: ext::Tap,
}

impl Talk {
    async fn new() -> Self {
        let (mut caller, mut callee) = (End::new(), End::new());
        let source = caller.publish();
        connect(&mut caller, &mut callee).await;
        let track = soon(&mut callee.tracks).await;
        Self {
            leaving: ext::tap_local(&local_track(&caller), 64).unwrap(),
            arriving: ext::tap_remote(&track, 64).unwrap(),
            track,
            caller,
            callee,
            source,
        }
    }

    async fn arrives(&mut self) -> ext::Packet {
        let packet = timeout(SOON, self.arriving.recv()).await;
        packet.expect("a packet comes").expect("the track lives")
    }

    /// What was sent and what came of it, in pairs.
    async fn compare(&mut self, packets: usize, same: impl Fn(&ext::Packet, &ext::Packet)) {
        speak(&self.source, 2 * packets).await;
        for _ in 0..packets {
            let sent = self.leaving.try_recv().expect("a packet every 20 ms");
            let came = self.arrives().await;
            assert_eq!(sent.sequence, came.sequence);
            same(&sent, &came);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_same_key_the_other_end_has_the_very_packets() {
    let mut talk = Talk::new().await;
    let (_sealing, mut sealed) = seal(&talk.caller, &keys(0, "secret"));
    talk.compare(5, |sent, came| {
        assert_eq!(came.payload.len(), sent.payload.len() + OVERHEAD);
        assert_eq!(came.payload[0], sent.payload[0]);
        assert!(!came.payload.ends_with(&sent.payload[1..]));
    })
    .await;
    let ok = ("caller".to_owned(), EncryptionState::Ok);
    assert_eq!(soon(&mut sealed).await, ok);
    let (opening, mut opened) = open(&talk.callee, &keys(0, "secret"));
    talk.compare(20, |sent, came| assert_eq!(sent.payload, came.payload))
        .await;
    assert_eq!(soon(&mut opened).await, ok);
    assert!(opened.try_recv().is_err(), "told once");
    // Off means as it came, in both directions.
    opening.set_enabled(false);
    talk.compare(2, |sent, came| {
        assert!(came.payload.len() > sent.payload.len())
    })
    .await;
    assert!(opening.participant_id() == "caller" && opening.key_index() == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_told_and_nothing_is_heard_until_it_is_right() {
    let mut talk = Talk::new().await;
    let wrong = keys(1, "wrong");
    let (_opening, mut told) = open(&talk.callee, &wrong);
    let (_sealing, _) = seal(&talk.caller, &keys(1, "right"));
    let mut stream = NativeAudioStream::new(talk.track.clone(), 24_000, 1);
    let failed = ("caller".to_owned(), EncryptionState::DecryptionFailed);
    let speaks = async {
        // Until the chain of the wrong key was derived: it might have been the one.
        while told
            .try_recv()
            .map(|news| assert_eq!(news, failed))
            .is_err()
        {
            speak(&talk.source, 10).await;
        }
        speak(&talk.source, 30).await;
    };
    timeout(SOON, speaks).await.expect("the failure is told");
    assert!(talk.arriving.try_recv().is_none(), "nothing to listen to");
    let silence = |frame: &AudioFrame<'_>| frame.data.iter().all(|sample| *sample == 0);
    for _ in 0..20 {
        let frame = timeout(SOON, stream.next()).await.unwrap().unwrap();
        assert!(silence(&frame), "noise");
    }
    assert!(wrong.set_shared_key(0, b"right".to_vec()));
    while talk.leaving.try_recv().is_some() {}
    talk.compare(10, |sent, came| assert_eq!(sent.payload, came.payload))
        .await;
    assert_eq!(soon(&mut told).await.1, EncryptionState::Ok);
    let loud = async { while silence(&stream.next().await.unwrap()) {} };
    timeout(SOON, loud).await.expect("sound comes again");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_follows_the_senders_ratchet() {
    let mut talk = Talk::new().await;
    let (theirs, ours) = (keys(4, "secret"), keys(4, "secret"));
    let (_sealing, _) = seal(&talk.caller, &theirs);
    let (_opening, mut told) = open(&talk.callee, &ours);
    talk.compare(5, |sent, came| assert_eq!(sent.payload, came.payload))
        .await;
    assert_eq!(soon(&mut told).await.1, EncryptionState::Ok);
    let next = theirs.ratchet_shared_key(0).unwrap();
    let follows = async {
        let mut news = Vec::new();
        while news.len() < 2 {
            speak(&talk.source, 10).await;
            news.extend(std::iter::from_fn(|| told.try_recv().ok()));
        }
        news
    };
    let news = timeout(SOON, follows).await.expect("the step is taken");
    let states: Vec<_> = news.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [EncryptionState::KeyRatcheted, EncryptionState::Ok]);
    assert_eq!(ours.get_key("caller".to_owned(), 0), Some(next));
    talk.arrives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_nothing_leaves() {
    let mut talk = Talk::new().await;
    let keys = keys(0, "");
    let (sealing, mut told) = seal(&talk.caller, &keys);
    speak(&talk.source, 20).await;
    let missing = ("caller".to_owned(), EncryptionState::MissingKey);
    assert_eq!(soon(&mut told).await, missing);
    assert!(talk.leaving.try_recv().is_none());
    assert!(keys.set_shared_key(1, b"secret".to_vec()));
    speak(&talk.source, 4).await;
    assert!(talk.leaving.try_recv().is_none(), "it is at another index");
    sealing.set_key_index(1);
    speak(&talk.source, 4).await;
    assert!(talk.leaving.try_recv().is_some());
    assert_eq!(soon(&mut told).await.1, EncryptionState::Ok);
    // A new track of the same sender is guarded as well.
    let sender = talk.caller.pc.senders().remove(0);
    let source = NativeAudioSource::new(AudioSourceOptions::default(), 24_000, 1, 0);
    let factory = PeerConnectionFactory::default();
    let track = factory.create_audio_track("another", source.clone());
    sender.set_track(Some(track.into())).unwrap();
    while talk.arriving.try_recv().is_some() {}
    sealing.set_key_index(2);
    speak(&source, 20).await;
    assert_eq!(soon(&mut told).await.1, EncryptionState::MissingKey);
}

#[test]
fn data_packets_open_with_the_key_they_were_sealed_with() {
    let cryptor = |secret| DataPacketCryptor::new(EncryptionAlgorithm::AesGcm, keys(0, secret));
    let (ours, others) = (cryptor("secret"), cryptor("other"));
    let packet = ours.encrypt("us", 0, b"hello").unwrap();
    assert_eq!((packet.data.len(), packet.iv.len()), (5 + 16, 12));
    assert_eq!(ours.decrypt("them", &packet).unwrap(), b"hello");
    assert_ne!(ours.encrypt("us", 0, b"hello").unwrap().iv, packet.iv);
    let why = |cryptor: &DataPacketCryptor| cryptor.decrypt("us", &packet).unwrap_err().to_string();
    assert_eq!(why(&others), "it does not open with this key");
    assert_eq!(why(&cryptor("")), "there is no key for it");
    let other_cipher = DataPacketCryptor::new(EncryptionAlgorithm::AesCbc, keys(0, "secret"));
    assert!(other_cipher.encrypt("us", 0, b"hello").is_err());
    assert!(other_cipher.decrypt("us", &packet).is_err());
}
