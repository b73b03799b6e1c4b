// The talk page alone, with a stand-in agent: what it shows and how it is used.

import { test, expect } from './lib/fixtures';
import { clip } from './lib/clips.mjs';
import { StandIn } from './standin/standin.mjs';

const AT_REST = { 'lk.agent.state': 'listening', 'agent.model': 'simulated-realtime' };

test('a person joins with one click, and both sides are heard', async ({ stand, chromium_, person, room }) => {
  const me = await person();
  await me.join(stand.link(room), 'Mara');
  const agent = await stand.agent(chromium_, room);
  await agent.set(AT_REST);
  await me.sees('listening');
  await expect(me.page.getByText('simulated model')).toBeVisible();

  await me.forget();
  await agent.speak(clip('agent-greeting'));
  await me.hears(clip('agent-greeting'));
  expect(await me.likeness(clip('caller-train'))).toBeLessThan(0.7);
  await agent.leave();
  await me.sees('gone');
});

test('both transcripts: deltas are appended, interims replaced, typed words shown once', async ({ stand, chromium_, person, room }) => {
  const me = await person();
  await me.join(stand.link(room));
  const mine = `person-${stand.people}`;
  const agent = await stand.agent(chromium_, room);
  await agent.text('SG_1', 'Good morning, what can I do?');
  await me.reads('the greeting', (line) => line.who === 'Agent' && line.text === 'Good morning, what can I do?' && line.final);
  await agent.text('SG_2', 'I wo', { as: mine, final: false });
  await agent.text('SG_2', 'I would like', { as: mine, final: false });
  await me.reads('the second interim', (line) => line.who === 'You' && line.text === 'I would like' && !line.final);
  await agent.text('SG_2', 'I would like tea.', { as: mine });
  await me.reads('the final words', (line) => line.text === 'I would like tea.' && line.final);
  await me.page.getByLabel('Type to the agent').fill('with milk');
  await me.page.keyboard.press('Enter');
  await me.reads('what was typed', (line) => line.text === 'with milk');
  expect((await me.transcript()).map((line) => line.text)).toEqual(['Good morning, what can I do?', 'I would like tea.', 'with milk']);
});

test('mute by button and by key, but not while typing; the space bar is left alone', async ({ stand, person, room }) => {
  const me = await person();
  await me.join(stand.link(room));
  const mute = me.page.getByRole('button', { name: 'Mute' });
  const unmute = me.page.getByRole('button', { name: 'Unmute' });
  await mute.click();
  await expect(unmute).toBeVisible();
  await me.page.locator('body').press('m');
  await expect(mute).toBeVisible();
  await me.page.getByLabel('Type to the agent').fill('');
  await me.page.keyboard.type('mm mm');
  await expect(mute).toBeVisible();
  await me.page.locator('h1').click();
  await me.page.locator('body').press('Space');
  await expect(mute).toBeVisible();
});

test('press to talk: by the space bar and by the button, but not while typing', async ({ stand, chromium_, person, room }) => {
  const me = await person();
  await me.join(stand.link(room));
  const agent = await stand.agent(chromium_, room);
  await agent.set({ ...AT_REST, 'agent.turns': 'manual' });
  const talk = me.page.getByRole('button', { name: 'Hold to talk' });
  const held = me.page.getByRole('button', { name: 'You are heard' });
  await expect(talk).toBeVisible();

  await me.page.getByRole('button', { name: 'Leave' }).focus(); // which the space bar would click
  await me.page.keyboard.down('Space');
  await expect(held).toBeVisible();
  await me.page.keyboard.up('Space');
  await expect(talk).toBeVisible();
  await expect.poll(() => agent.presses()).toEqual([true, false]);

  await talk.hover();
  await me.page.mouse.down();
  await expect(held).toBeVisible();
  await me.page.mouse.up();
  await expect.poll(() => agent.presses()).toEqual([true, false, true, false]);

  await me.page.getByLabel('Type to the agent').fill('');
  await me.page.keyboard.type('a b');
  await expect(talk).toBeVisible();
  expect(await agent.presses()).toHaveLength(4);

  // An agent that goes hears nobody any more, and the next one is not told that somebody presses.
  await me.page.locator('h1').click();
  await me.page.keyboard.down('Space');
  await expect(held).toBeVisible();
  await agent.leave();
  await me.sees('gone');
  await me.page.keyboard.up('Space');
  const next = await stand.agent(chromium_, room);
  await next.set({ ...AT_REST, 'agent.turns': 'manual' });
  await expect(talk).toBeVisible();
  expect(await next.presses()).toEqual([]);
});

test('a picture is made small, shown to the agent and noted in the transcript', async ({ stand, chromium_, person, room }) => {
  const me = await person();
  await me.join(stand.link(room));
  const agent = await stand.agent(chromium_, room);
  await agent.set(AT_REST);
  await me.sees('listening');
  const photograph = await me.page.evaluate(() => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [3000, 1500];
    canvas.getContext('2d')!.fillRect(0, 0, 1500, 1500);
    return canvas.toDataURL('image/png').split(',')[1]!;
  });
  const choosing = me.page.waitForEvent('filechooser');
  await me.page.getByRole('button', { name: 'Show a picture' }).click();
  const chooser = await choosing;
  await chooser.setFiles({ name: 'a.png', mimeType: 'image/png', buffer: Buffer.from(photograph, 'base64') });
  await me.reads('that it was shown', (line) => line.who.startsWith('You') && line.text === '[a picture]');
  await expect.poll(() => agent.pictures()).toEqual([{ type: 'image/jpeg', width: 1024, height: 512 }]);

  await me.page.getByLabel('Picture for the agent').setInputFiles({ name: 'b.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await expect(me.page.getByText('This picture cannot be read.')).toBeVisible();
  expect(await agent.pictures()).toHaveLength(1);
});

test('how long the last answer took, and for what, is shown', async ({ stand, chromium_, person, room }) => {
  const me = await person();
  await me.join(stand.link(room));
  const agent = await stand.agent(chromium_, room);
  await agent.set(AT_REST);
  await me.sees('listening');
  await expect(me.page.getByText('Last answer after')).toBeHidden();
  const stages = { endpointing: 312.4, request: 0.3, model: 501, tools: 0, voice: 2.1, total: 815.8 };
  await agent.set({ 'agent.latency': JSON.stringify(stages) });
  await expect(me.page.getByText('Last answer after 0.82 s')).toBeVisible();
  await expect(me.page.getByText('thinking 501 ms')).toBeVisible();
  await agent.set({ 'agent.latency': 'soon' });
  await expect(me.page.getByText('Last answer after')).toBeHidden();
});

test('the whole talk works from the keyboard', async ({ stand, person, room }) => {
  const me = await person();
  await me.open(stand.link(room));
  await me.page.keyboard.press('Tab');
  await expect(me.page.getByLabel('Your name')).toBeFocused();
  await me.page.keyboard.type('Mara');
  await me.page.keyboard.press('Enter');
  await expect(me.page.getByRole('button', { name: 'Mute' })).toBeFocused({ timeout: 15_000 });
  await me.page.keyboard.press('Tab');
  await expect(me.page.getByRole('button', { name: 'Leave' })).toBeFocused();
  await me.page.keyboard.press('Enter');
  await expect(me.page.getByRole('button', { name: 'Join again' })).toBeFocused();
  await me.page.keyboard.press('Enter');
  await expect(me.page.getByRole('button', { name: 'Leave' })).toBeVisible({ timeout: 15_000 });
});

test('a refused microphone is explained, and one can still listen and type', async ({ stand, chromium_, person, room }) => {
  const me = await person({ microphone: 'refused' });
  await me.join(stand.link(room));
  await expect(me.page.getByRole('alert')).toContainText('The microphone is blocked');
  const agent = await stand.agent(chromium_, room);
  await agent.speak(clip('agent-greeting'));
  await me.hears(clip('agent-greeting'));
  await me.page.getByLabel('Type to the agent').fill('I can type');
  await me.page.getByRole('button', { name: 'Send' }).click();
  await me.reads('what was typed', (line) => line.text === 'I can type');
});

test('echo cancellation that is off is said, and when it is on nothing is', async ({ stand, person, room }) => {
  const echoing = await person({ echo: false });
  await echoing.join(stand.link(room));
  await expect(echoing.page.getByText('Echo cancellation is off')).toBeVisible();
  const fine = await person();
  await fine.join(stand.link(`${room}-b`));
  await expect(fine.page.getByRole('button', { name: 'Mute' })).toBeVisible();
  await expect(fine.page.getByText('Echo cancellation is off')).toBeHidden();
});

test('a second tab starts muted, says so, and can speak by one click', async ({ stand, person, room }) => {
  const first = await person();
  await first.join(stand.link(room), 'Anna');
  await expect(first.page.getByRole('button', { name: 'Mute' })).toBeVisible();
  const second = await person();
  await second.join(stand.link(room), 'Ben');
  await expect(second.page.getByText('You came in muted')).toBeVisible();
  await expect(second.page.getByRole('button', { name: 'Mute' })).toBeHidden();
  await expect(first.page.getByText('Ben')).toBeVisible();

  await second.page.getByRole('button', { name: 'Turn on' }).click();
  await expect(second.page.getByRole('button', { name: 'Mute' })).toBeVisible();
  await expect(second.page.getByText('You came in muted')).toBeHidden();
  await first.page.waitForFunction(() => (window as any).__recordings.length > 0);
  await second.say(clip('caller-apples'));
  await first.hears(clip('caller-apples'));
});

test('an agent that does not come is said after ten seconds, with a way on', async ({ stand, chromium_, person, room }) => {
  const me = await person();
  await me.join(stand.link(room));
  expect(await me.mood()).toBe('waiting');
  await expect(me.page.getByText('No agent has come yet')).toBeHidden();
  const hint = me.page.getByRole('link', { name: 'Why is my agent not coming?' });
  await expect(hint).toBeVisible({ timeout: 15_000 });
  const [page] = await Promise.all([me.context.waitForEvent('page'), hint.click()]);
  await expect(page.getByRole('heading', { name: 'Why is my agent not coming?' })).toBeVisible();
  const agent = await stand.agent(chromium_, room);
  await agent.set(AT_REST);
  await me.sees('listening');
  await expect(hint).toBeHidden();
});

test('a link without a key, an expired one and a forged one are told apart', async ({ stand, person, room }) => {
  const me = await person({ expected: /401/ });
  await me.open(stand.origin);
  await expect(me.page.getByText('This address has no key')).toBeVisible();
  await expect(me.page.getByRole('button', { name: 'Join' })).toBeDisabled();
  await me.page.goto('about:blank');
  await me.open(stand.link(room, -5));
  await expect(me.page.getByText('This link has expired')).toBeVisible();
  await me.page.goto('about:blank');
  await me.open(`${stand.link(room)}x`);
  await me.page.getByRole('button', { name: 'Join' }).click();
  await expect(me.page.getByText('This link is not accepted')).toBeVisible();
});

test('the page loads nothing from elsewhere and obeys the strict policy', async ({ stand, person, room }) => {
  const me = await person();
  const asked: string[] = [];
  me.page.on('request', (request) => asked.push(request.url()));
  await me.join(stand.link(room));
  const elsewhere = asked.filter((url) => !url.startsWith(stand.origin) && !url.startsWith('data:'));
  expect(elsewhere).toEqual([]);
});

test('nothing is cut off or scrolls sideways on a phone', async ({ stand, chromium_, person, room }) => {
  const me = await person({ viewport: { width: 390, height: 844 }, microphone: 'refused' });
  await me.join(stand.link(room));
  const agent = await stand.agent(chromium_, room);
  await agent.set(AT_REST);
  await me.sees('listening');
  const tooWide = await me.page.evaluate(() =>
    [...document.querySelectorAll('body *')]
      .filter((element) => element.getBoundingClientRect().right > 390.5)
      .map((element) => `${element.tagName} ${element.className}`),
  );
  expect(tooWide).toEqual([]);
  expect(await me.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await expect(me.page.getByLabel('Type to the agent')).toBeInViewport({ ratio: 1 });
  await expect(me.page.getByRole('button', { name: 'Leave' })).toBeInViewport({ ratio: 1 });
});

test('a connection that breaks is said at once', async ({ person, room }) => {
  const stand = await StandIn.start();
  const me = await person({ expected: /WebSocket|websocket|ERR_CONNECTION|reconnect|signal|resume|fetch/i });
  await me.join(stand.link(room));
  stand.stop();
  await expect(me.page.getByRole('heading', { name: 'Reconnecting' })).toBeVisible({ timeout: 20_000 });
});
