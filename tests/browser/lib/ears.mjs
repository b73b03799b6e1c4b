// Recognises known speech in a recording by correlating spectrograms. It survives a codec and a jitter
// buffer (which stretches a little), because a clip is matched in short pieces that may shift.
// Pure: samples in, numbers out.

const RATE = 16_000;
const HOP = 160; // 10 ms
const SIZE = 512; // 32 ms
const BANDS = 16;
const LOWEST = 150; // Hz
const HIGHEST = 5_000; // Hz
const PIECE = 40; // frames: 400 ms
const SHIFT = 10; // frames a piece may be away from its place
const FLOOR = -75; // dB

/** At least this much likeness is the same words in the same voice; other sentences stay below 0.74. */
export const SAME = 0.78;

/**
 * How alike the clip and the best place in the recording are, 0 to 1, and where that place begins.
 * Both are 16 kHz samples.
 * @returns {{ score: number, frame: number }}
 */
export function find(clip, recording) {
  const wanted = spectrogram(clip);
  const heard = spectrogram(recording);
  const frames = heard.length - wanted.length + 1;
  if (frames <= 0) return { score: 0, frame: 0 };
  const pieces = piecesOf(wanted).map(({ start, part }) => ({ start, likeness: slide(part, heard) }));
  let best = { score: 0, frame: 0 };
  for (let frame = 0; frame < frames; frame++) {
    let sum = 0;
    for (const { start, likeness } of pieces) sum += bestNear(likeness, frame + start);
    const score = sum / pieces.length;
    if (score > best.score) best = { score, frame };
  }
  return best;
}

/** Samples of any rate at the ears' rate (linear: good enough below 5 kHz). */
export function atEarRate(samples, rate) {
  const length = Math.floor((samples.length * RATE) / rate);
  return Int16Array.from({ length }, (_, n) => {
    const at = (n * rate) / RATE;
    const left = Math.floor(at);
    const a = samples[left];
    const b = samples[left + 1] ?? a;
    return Math.round(a + (b - a) * (at - left));
  });
}

function piecesOf(frames) {
  const count = Math.max(1, Math.round(frames.length / PIECE));
  return Array.from({ length: count }, (_, n) => {
    const start = Math.floor((n * frames.length) / count);
    return { start, part: frames.slice(start, Math.floor(((n + 1) * frames.length) / count)) };
  });
}

function bestNear(likeness, at) {
  let best = 0;
  for (let n = Math.max(0, at - SHIFT); n <= Math.min(likeness.length - 1, at + SHIFT); n++) {
    if (likeness[n] > best) best = likeness[n];
  }
  return best;
}

/** Pearson's correlation of the part with the recording at every frame. */
function slide(part, heard) {
  const count = part.length * BANDS;
  const mean = part.flat().reduce((a, b) => a + b, 0) / count;
  const centred = part.map((frame) => frame.map((value) => value - mean));
  const norm = Math.sqrt(centred.flat().reduce((sum, value) => sum + value * value, 0));
  const places = Math.max(0, heard.length - part.length + 1);
  const result = new Float32Array(places);
  for (let at = 0; at < places; at++) {
    let dot = 0;
    let sum = 0;
    let squares = 0;
    for (let n = 0; n < part.length; n++) {
      const mine = centred[n];
      const theirs = heard[at + n];
      for (let band = 0; band < BANDS; band++) {
        const value = theirs[band];
        dot += mine[band] * value;
        sum += value;
        squares += value * value;
      }
    }
    const spread = Math.sqrt(Math.max(0, squares - (sum * sum) / count));
    result[at] = norm > 0 && spread > 1 ? dot / (norm * spread) : 0;
  }
  return result;
}

/** Per 10 ms the energy of each band in dB. */
function spectrogram(samples) {
  const frames = Math.floor((samples.length - SIZE) / HOP) + 1;
  const re = new Float64Array(SIZE);
  const im = new Float64Array(SIZE);
  return Array.from({ length: Math.max(0, frames) }, (_, frame) => {
    for (let n = 0; n < SIZE; n++) {
      re[n] = (samples[frame * HOP + n] / 32768) * WINDOW[n];
      im[n] = 0;
    }
    transform(re, im);
    return EDGES.slice(0, BANDS).map((from, band) => {
      let power = 0;
      for (let bin = from; bin < EDGES[band + 1]; bin++) power += re[bin] * re[bin] + im[bin] * im[bin];
      return Math.max(FLOOR, 10 * Math.log10(power / (SIZE * SIZE) + 1e-12));
    });
  });
}

const WINDOW = Float64Array.from({ length: SIZE }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / SIZE));

/** Bins where the bands begin: as wide as the ear's, and at least one bin each. */
const EDGES = (() => {
  const edges = [];
  for (let n = 0; n <= BANDS; n++) {
    const hertz = LOWEST * (HIGHEST / LOWEST) ** (n / BANDS);
    edges.push(Math.max(Math.round((hertz * SIZE) / RATE), (edges.at(-1) ?? 0) + 1));
  }
  return edges;
})();

/** Radix-2 Fourier transform in place. */
function transform(re, im) {
  const size = re.length;
  for (let n = 1, m = 0; n < size; n++) {
    let bit = size >> 1;
    for (; m & bit; bit >>= 1) m ^= bit;
    m ^= bit;
    if (n < m) {
      [re[n], re[m]] = [re[m], re[n]];
      [im[n], im[m]] = [im[m], im[n]];
    }
  }
  for (let span = 2; span <= size; span <<= 1) {
    const half = span >> 1;
    for (let from = 0; from < size; from += span) {
      for (let n = 0; n < half; n++) {
        const angle = (-2 * Math.PI * n) / span;
        const cos = Math.cos(angle);
        const sin = Math.sin(angle);
        const a = from + n;
        const b = a + half;
        const x = re[b] * cos - im[b] * sin;
        const y = re[b] * sin + im[b] * cos;
        re[b] = re[a] - x;
        im[b] = im[a] - y;
        re[a] += x;
        im[a] += y;
      }
    }
  }
}
