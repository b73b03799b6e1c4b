import { expect, test } from 'vitest';
import { loudness } from './level';

const tone = (amplitude: number) =>
  Float32Array.from({ length: 1024 }, (_, n) => amplitude * Math.sin((2 * Math.PI * 8 * n) / 1024));

test('silence and room noise show nothing', () => {
  expect(loudness(tone(0))).toBe(0);
  expect(loudness(tone(0.001))).toBe(0);
});

test('a quiet voice shows less than a loud one, and nothing shows more than full', () => {
  expect(loudness(tone(0.03))).toBeGreaterThan(0.3);
  expect(loudness(tone(0.03))).toBeLessThan(loudness(tone(0.2)));
  expect(loudness(tone(1))).toBe(1);
});
