import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clip, names } from './clips.mjs';
import { SAME, find } from './ears.mjs';

const callers = names().filter((name) => name.startsWith('caller-')).map(clip);

/** Half a second of faint noise, the clip, and noise again. */
function inNoise(samples, seed = 1) {
  let state = seed;
  const noise = () => ((state = (state * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff - 0.5) * 60;
  const result = Int16Array.from({ length: samples.length + 16_000 }, noise);
  samples.forEach((sample, n) => (result[n + 8_000] = Math.max(-32768, Math.min(32767, result[n + 8_000] + sample))));
  return result;
}

test('each clip is found where it is, and no other clip is taken for it', () => {
  for (const wanted of callers) {
    for (const said of callers) {
      const { score, frame } = find(wanted.ear, inNoise(said.ear));
      if (wanted === said) {
        assert.ok(score > 0.95, `${wanted.name} is itself: ${score}`);
        assert.ok(Math.abs(frame - 50) <= 12, `${wanted.name} begins at 0.5 s, not at frame ${frame}`);
      } else {
        assert.ok(score < SAME - 0.06, `${wanted.name} is not ${said.name}: ${score}`);
      }
    }
  }
});

test('silence is nobody', () => {
  assert.equal(find(callers[0].ear, new Int16Array(48_000)).score, 0);
  assert.equal(find(callers[0].ear, new Int16Array(10)).score, 0);
});

test('a clip that lost its second half is not the clip', () => {
  for (const wanted of callers) {
    const half = wanted.ear.map((sample, n) => (n < wanted.ear.length / 2 ? sample : 0));
    assert.ok(find(wanted.ear, inNoise(half)).score < SAME, wanted.name);
  }
});
