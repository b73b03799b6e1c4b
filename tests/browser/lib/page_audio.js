// Runs in the page before its own code: the microphone becomes a WebAudio stream that the test plays
// clips into, and every remote audio track is recorded. It changes nothing else of the page.
// `window.__people` is set by the test before this script: { microphone, echo }.

(() => {
  if (!navigator.mediaDevices) return; // not a page of ours
  const options = window.__people ?? {};
  const MIC_RATE = 48_000;
  const EAR_RATE = 16_000; // every third sample, averaged: enough to recognise speech
  let context;

  function audio() {
    context ??= new AudioContext({ sampleRate: MIC_RATE });
    return context;
  }

  // --- the microphone
  let microphone;

  function openMicrophone() {
    if (microphone) return microphone;
    const destination = audio().createMediaStreamDestination();
    // A source that always runs: silence is sent as silence, as a real device does.
    const silence = audio().createConstantSource();
    silence.offset.value = 0;
    silence.connect(destination);
    silence.start();
    microphone = destination;
    return microphone;
  }

  navigator.mediaDevices.getUserMedia = async () => {
    const error = { refused: 'NotAllowedError', missing: 'NotFoundError', busy: 'NotReadableError' }[options.microphone];
    if (error) throw new DOMException('the test said so', error);
    const track = openMicrophone().stream.getAudioTracks()[0].clone();
    const settings = track.getSettings.bind(track);
    track.getSettings = () => ({ ...settings(), echoCancellation: options.echo ?? true });
    return new MediaStream([track]);
  };

  /** Plays 16-bit samples into the microphone; resolves at once with the time of the first and last sample. */
  window.__say = (base64, rate) => {
    const pcm = new Int16Array(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer);
    const buffer = audio().createBuffer(1, pcm.length, rate);
    buffer.copyToChannel(Float32Array.from(pcm, (sample) => sample / 32768), 0);
    const source = audio().createBufferSource();
    source.buffer = buffer;
    source.connect(openMicrophone());
    const delay = 0.02;
    source.start(audio().currentTime + delay);
    const start = performance.now() + delay * 1000;
    return { start, end: start + buffer.duration * 1000 };
  };

  // --- the ears
  /** One recording per remote audio track: samples, and when each block of 10 ms was heard. */
  const recordings = [];
  window.__recordings = recordings;

  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args);
      this.addEventListener('track', (event) => {
        if (event.track.kind === 'audio') void record(event.track);
      });
    }
  };

  async function record(track) {
    const recording = { samples: [], times: [], loud: [] };
    recordings.push(recording);
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    let rest = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const plane = new Float32Array(value.numberOfFrames);
      value.copyTo(plane, { planeIndex: 0, format: 'f32-planar' });
      const rate = value.sampleRate;
      value.close();
      rest = store(recording, rest, plane, rate);
    }
  }

  function store(recording, rest, plane, rate) {
    const step = rate / EAR_RATE;
    const all = rest.length ? Float32Array.from([...rest, ...plane]) : plane;
    const block = Math.round(rate / 100);
    let from = 0;
    for (; from + block <= all.length; from += block) {
      let sum = 0;
      for (let n = 0; n < EAR_RATE / 100; n++) {
        let value = 0;
        for (let k = 0; k < step; k++) value += all[from + Math.floor(n * step) + k] ?? 0;
        value /= step;
        sum += value * value;
        recording.samples.push(Math.max(-32768, Math.min(32767, Math.round(value * 32768))));
      }
      recording.times.push(performance.now());
      recording.loud.push(10 * Math.log10(sum / (EAR_RATE / 100) + 1e-12));
    }
    return Array.from(all.subarray(from));
  }

  /** What was recorded from block `from` on, for the test's own ears. */
  window.__heard = (index, from) => {
    const recording = recordings[index];
    if (!recording) return null;
    const pcm = Int16Array.from(recording.samples.slice(from * (EAR_RATE / 100)));
    let binary = '';
    const bytes = new Uint8Array(pcm.buffer);
    for (let n = 0; n < bytes.length; n += 8192) binary += String.fromCharCode(...bytes.subarray(n, n + 8192));
    return { base64: btoa(binary), times: recording.times.slice(from), loud: recording.loud.slice(from) };
  };
})();
