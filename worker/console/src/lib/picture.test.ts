import { expect, test } from 'vitest';
import { EDGE, fit } from './picture';

test('a picture keeps its shape and is never made larger', () => {
  expect(fit(4000, 3000)).toEqual([EDGE, 768]);
  expect(fit(3000, 4000)).toEqual([768, EDGE]);
  expect(fit(640, 480)).toEqual([640, 480]);
  expect(fit(100_000, 3)).toEqual([EDGE, 1]);
});
