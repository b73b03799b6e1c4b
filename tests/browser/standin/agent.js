// A page that plays the agent, for tests of the talk page alone: it publishes a voice, sets the agent's
// attributes and sends text streams, as the worker does.

const { Room, Track } = LivekitClient;
let room;
let spoken;
let context;
window.__presses = [];
window.__pictures = [];

window.__join = async (url, token) => {
  room = new Room();
  await room.connect(url, token);
  room.registerRpcMethod('room_agent.ptt', async ({ payload }) => {
    window.__presses.push(JSON.parse(payload).pressed);
    return '{}';
  });
  room.registerByteStreamHandler('images', async (reader) => {
    const picture = new Blob(await reader.readAll());
    const { width, height } = await createImageBitmap(picture);
    window.__pictures.push({ type: reader.info.mimeType, width, height });
  });
  context = new AudioContext({ sampleRate: 48_000 });
  spoken = context.createMediaStreamDestination();
  await room.localParticipant.publishTrack(spoken.stream.getAudioTracks()[0], {
    name: 'roomio_audio',
    source: Track.Source.Microphone,
  });
};

window.__set = (attributes) => room.localParticipant.setAttributes(attributes);

window.__speak = (base64, rate) => {
  const pcm = new Int16Array(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer);
  const buffer = context.createBuffer(1, pcm.length, rate);
  buffer.copyToChannel(Float32Array.from(pcm, (sample) => sample / 32768), 0);
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(spoken);
  source.start();
};

/** One stream of a segment; in a person's name when `as` is given, as the worker does for what it hears. */
window.__text = async (segment, text, { final = true, as = null } = {}) => {
  const { engine } = room;
  const send = engine.sendDataPacket;
  if (as) {
    engine.sendDataPacket = function (packet, kind) {
      packet.participantIdentity = as;
      return send.call(this, packet, kind);
    };
  }
  const attributes = { 'lk.segment_id': segment, 'lk.transcription_final': String(final) };
  const writer = await room.localParticipant.streamText({ topic: 'lk.transcription', attributes });
  for (const word of text.split(/(?<= )/)) await writer.write(word);
  await writer.close();
  engine.sendDataPacket = send;
};

window.__leave = () => room.disconnect();
