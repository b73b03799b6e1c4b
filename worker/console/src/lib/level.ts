// Adapter: how loud a track is, for the meters. Uses the browser's own analyser; no sample leaves it.

/** One context for all meters: browsers allow only a few. Made after the first click. */
let shared: AudioContext | null = null;

export interface Level {
  /** 0 (silence) to 1 (full scale), on a scale that follows the ear. */
  read(): number;
  stop(): void;
}

export function levelOf(track: MediaStreamTrack): Level {
  shared ??= new AudioContext();
  void shared.resume();
  const source = shared.createMediaStreamSource(new MediaStream([track]));
  const analyser = shared.createAnalyser();
  analyser.fftSize = 1024; // about 20 ms
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  return {
    read() {
      if (!track.enabled || track.muted) return 0;
      analyser.getFloatTimeDomainData(samples);
      return loudness(samples);
    },
    stop() {
      source.disconnect();
    },
  };
}

/** −55 dBFS and below is 0: room noise. −10 dBFS is a raised voice: 1. */
const QUIET = -55;
const LOUD = -10;

export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(1, Math.max(0, (decibels - QUIET) / (LOUD - QUIET)));
}
