// A participant in Chromium: one function per order of `page.mjs`. Sound is 16-bit mono at 24 kHz, in base64.
// It records and does not judge.

window.peer = (() => {
  const { BaseKeyProvider, ExternalE2EEKeyProvider, createKeyMaterialFromString } = LivekitClient;
  const { KeyProviderEvent, Room, RoomEvent, Track, DataPacket_Kind: Kind } = LivekitClient;
  const RATE = 24_000;
  const DEVICE_RATE = 48_000;
  const TOPIC = 'interop';
  const inbox = { packets: [], texts: [] };
  const seen = { tracks: 0, lost_tracks: 0, reconnected: 0, mutes: [], told: '', unopened: 0, followed: 0 };
  const heard = [];

  /** A key for each participant. */
  class OwnKeys extends BaseKeyProvider {
    constructor() {
      super({ sharedKey: false });
      this.on(KeyProviderEvent.KeyRatcheted, (_, whose) => {
        seen.followed += Number(whose !== room.localParticipant.identity);
      });
    }

    async set(whose, key, at) {
      this.onSetEncryptionKey(await createKeyMaterialFromString(key), whose, at);
    }
  }

  let room;
  let ownKeys;
  let context;
  let microphone;
  let publication;

  async function join({ url, token, single, key, keys }) {
    room = new Room({ singlePeerConnection: single, ...(await sealing(key, keys)) });
    const isSealed = Boolean(key ?? keys);
    if (isSealed) await room.setE2EEEnabled(true);
    room.on(RoomEvent.EncryptionError, () => (seen.unopened += 1));
    room.on(RoomEvent.TrackSubscribed, (track, remote) => {
      seen.tracks += 1;
      seen.told = remote.trackInfo?.mimeType ?? '';
      track.attach(); // a track that nobody plays is not decoded
      void record(track.mediaStreamTrack);
    });
    room.on(RoomEvent.TrackUnsubscribed, () => (seen.lost_tracks += 1));
    room.on(RoomEvent.TrackMuted, (_, who) => who.isLocal || seen.mutes.push(true));
    room.on(RoomEvent.TrackUnmuted, (_, who) => who.isLocal || seen.mutes.push(false));
    room.on(RoomEvent.Reconnected, () => (seen.reconnected += 1));
    room.on(RoomEvent.DataReceived, (payload, _, kind) =>
      // Of an encrypted message this library does not tell how it came.
      inbox.packets.push({ payload: toBase64(payload), reliable: isSealed ? null : kind === Kind.RELIABLE }),
    );
    room.registerTextStreamHandler(TOPIC, async (reader) => inbox.texts.push(await reader.readAll()));
    await room.connect(url, token);
    const isSingle = room.engine.pcManager.mode === 'publisher-only';
    if (isSingle !== single) throw new Error(`the mode is ${room.engine.pcManager.mode}`);
    openMicrophone();
    publication = await room.localParticipant.publishTrack(microphone.stream.getAudioTracks()[0], {
      source: Track.Source.Microphone,
    });
  }

  /** Options for end-to-end encryption; none without keys. */
  async function sealing(key, keys) {
    const worker = () => new Worker('/sealing.js');
    if (keys) {
      ownKeys = new OwnKeys();
      for (const [whose, one] of keys) await ownKeys.set(whose, one, 0);
      return { encryption: { keyProvider: ownKeys, worker: worker() } };
    }
    if (!key) return {};
    const keyProvider = new ExternalE2EEKeyProvider();
    await keyProvider.setKey(key);
    return { encryption: { keyProvider, worker: worker() } };
  }

  function openMicrophone() {
    context = new AudioContext({ sampleRate: DEVICE_RATE });
    microphone = context.createMediaStreamDestination();
    // A source that always runs: silence is sent as silence, as a real device does.
    const silence = context.createConstantSource();
    silence.offset.value = 0;
    silence.connect(microphone);
    silence.start();
  }

  async function say({ pcm }) {
    const samples = new Int16Array(fromBase64(pcm).buffer);
    const buffer = context.createBuffer(1, samples.length, RATE);
    buffer.copyToChannel(Float32Array.from(samples, (sample) => sample / 32768), 0);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(microphone);
    const ended = new Promise((resolve) => (source.onended = resolve));
    source.start();
    await ended;
  }

  async function listen({ since }) {
    const pcm = Int16Array.from(heard.slice(since));
    return { pcm: toBase64(new Uint8Array(pcm.buffer)), position: heard.length };
  }

  const mute = ({ on }) => (on ? publication.mute() : publication.unmute()).then(() => {});

  const send = ({ payload, reliable }) =>
    room.localParticipant.publishData(fromBase64(payload), { reliable, topic: TOPIC });

  const write = ({ text }) => room.localParticipant.sendText(text, { topic: TOPIC }).then(() => {});

  /** Anew, or only the signals with a restart of ICE. */
  const reconnect = ({ whole }) => room.simulateScenario(whole ? 'full-reconnect' : 'signal-reconnect');

  const keys = {
    /** Its own is used from now on. */
    set_key: ({ whose, key, at }) => ownKeys.set(whose, key, at),
    ratchet: async ({ at }) => ownKeys.ratchetKey(room.localParticipant.identity, at),
  };

  async function facts() {
    const [sends, receives] = await codecs();
    return { ...seen, sends, receives };
  }

  /** Media types of what is sent and received now. */
  async function codecs() {
    const { publisher, subscriber } = room.engine.pcManager;
    const reports = await Promise.all([publisher, subscriber].filter(Boolean).map((one) => one.getStats()));
    const entries = reports.flatMap((report) => [...report.values()]);
    const nameOf = (id) => entries.find((entry) => entry.id === id)?.mimeType ?? '';
    const of = (type) =>
      entries
        .filter((entry) => entry.type === type && entry.kind === 'audio' && entry.codecId)
        .map((entry) => nameOf(entry.codecId))
        .join(', ');
    return [of('outbound-rtp'), of('inbound-rtp')];
  }

  /** Everything that is played, at half the device's rate, until another track takes its place: this one may
   * go on in silence. */
  async function record(track) {
    const mine = seen.tracks;
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    let rest = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (mine !== seen.tracks) {
        value.close();
        return void reader.cancel();
      }
      const step = value.sampleRate / RATE;
      const plane = new Float32Array(value.numberOfFrames);
      value.copyTo(plane, { planeIndex: 0, format: 'f32-planar' });
      value.close();
      const all = rest.length ? Float32Array.from([...rest, ...plane]) : plane;
      let from = 0;
      for (; from + step <= all.length; from += step) {
        let sum = 0;
        for (let n = 0; n < step; n++) sum += all[from + n];
        heard.push(Math.max(-32768, Math.min(32767, Math.round((sum / step) * 32768))));
      }
      rest = Array.from(all.subarray(from));
    }
  }

  function toBase64(bytes) {
    let binary = '';
    for (let n = 0; n < bytes.length; n += 8192) binary += String.fromCharCode(...bytes.subarray(n, n + 8192));
    return btoa(binary);
  }

  const fromBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

  const leave = () => room.disconnect();

  return { join, say, listen, mute, send, write, reconnect, ...keys, inbox: async () => inbox, facts, leave };
})();
