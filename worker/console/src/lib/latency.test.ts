import { expect, test } from 'vitest';
import { latencyOf } from './latency';

test('the parts stand in order of time, and what took nothing is left out', () => {
  const told = '{"endpointing":310.2,"request":2,"model":480,"tools":0,"voice":3,"total":795.2}';
  expect(latencyOf(told)).toEqual({
    total: 795.2,
    parts: [{ stage: 'endpointing', took: 310.2 }, { stage: 'model', took: 480 }],
  });
});

test('what is no latency is none', () => {
  for (const text of [undefined, '', 'soon', '[]', 'null', '{}', '{"total":"x"}', '{"total":-1}', '{"total":1e999}']) {
    expect(latencyOf(text)).toBeNull();
  }
  expect(latencyOf('{"total":100,"model":"much"}')).toEqual({ total: 100, parts: [] });
});
