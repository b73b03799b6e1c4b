// The committed speech clips (16-bit mono WAV), and their words.

import { readFileSync } from 'node:fs';
import { atEarRate } from './ears.mjs';

const FOLDER = new URL('../../fixtures/clips/', import.meta.url);

/** @returns {{ name: string, rate: number, samples: Int16Array, ear: Int16Array, seconds: number, words: string }} */
export function clip(name) {
  const bytes = readFileSync(new URL(`${name}.wav`, FOLDER));
  const { rate, samples } = decode(bytes, name);
  return { name, rate, samples, ear: atEarRate(samples, rate), seconds: samples.length / rate, words: wordsOf(name) };
}

export function names() {
  return phrases().map(([name]) => name);
}

function wordsOf(name) {
  return phrases().find(([key]) => key === name)?.[2] ?? '';
}

function phrases() {
  const lines = readFileSync(new URL('phrases.txt', FOLDER), 'utf8').split('\n');
  return lines.filter((line) => line && !line.startsWith('#')).map((line) => line.split('|'));
}

function decode(bytes, name) {
  let rate = 0;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const kind = bytes.toString('latin1', at, at + 4);
    const size = bytes.readUInt32LE(at + 4);
    if (kind === 'fmt ') rate = bytes.readUInt32LE(at + 12);
    if (kind === 'data') {
      const samples = new Int16Array(Math.floor(size / 2));
      for (let n = 0; n < samples.length; n++) samples[n] = bytes.readInt16LE(at + 8 + 2 * n);
      return { rate, samples };
    }
    at += 8 + size + (size % 2);
  }
  throw new Error(`${name} has no samples`);
}
