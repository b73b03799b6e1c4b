// Interrupting the real agent: it falls silent at once and answers what was said instead.

import { test, expect } from './lib/fixtures';
import { clip } from './lib/clips.mjs';

test('the agent falls silent when it is interrupted, and answers the interruption', async ({ link, person }) => {
  const me = await person();
  await me.join(link);
  await me.settles();

  await me.forget();
  await me.asks(clip('caller-count'), clip('agent-two')); // it counts: it would go on for many seconds
  await me.say(clip('caller-wait'));
  await me.hearsSilence(300, 10);
  await me.hears(clip('agent-you-said'), 20);
  await me.hears(clip('caller-wait'), 20);
  // It never came to the end of its counting.
  expect(await me.likeness(clip('agent-nineteen'))).toBeLessThan(0.8);
  await me.leave();
});
