// A person and the real agent: the whole stack with the simulated model, started by `cargo xtask browser`.

import { test, expect } from './lib/fixtures';
import { clip } from './lib/clips.mjs';

test('a person says something and hears the agent repeat it', async ({ link, person }) => {
  const me = await person();
  await me.join(link, 'Mara');
  await expect(me.page.getByText('simulated model')).toBeVisible();
  await me.settles();

  await me.forget();
  await me.saysAndEnds(clip('caller-mountains'));
  await me.hears(clip('agent-you-said'), 20);
  await me.hears(clip('caller-mountains'), 20); // its own words, played back by the model
  expect(await me.likeness(clip('caller-train'))).toBeLessThan(0.75);
  await me.reads('my words', (line) => line.who === 'You' && /mountains/.test(line.text) && line.final);
  await me.reads("the agent's words", (line) => line.who === 'Agent' && /mountains/.test(line.text) && line.final);
  await me.leave();
});

test('typed words are answered', async ({ link, person }) => {
  const me = await person();
  await me.join(link);
  await me.settles();
  await me.forget();
  await me.page.getByLabel('Type to the agent').fill('room 7');
  await me.page.keyboard.press('Enter');
  await me.hears(clip('agent-you-wrote'), 20);
  await me.reads('the answer', (line) => line.who === 'Agent' && line.text.includes('room 7'));
  await me.leave();
});
