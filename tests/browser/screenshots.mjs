// Pictures of the talk page in the states a customer sees, wide and narrow, light and dark, into `out/`.
// Look at them after every change of the page: `node screenshots.mjs [state…]`.

import { mkdirSync } from 'node:fs';
import { launch } from './lib/chromium.mjs';
import { clip } from './lib/clips.mjs';
import { Person } from './lib/person.mjs';
import { StandIn } from './standin/standin.mjs';

const SIZES = { 1280: { width: 1280, height: 800 }, 390: { width: 390, height: 844 } };
const wanted = process.argv.slice(2);
const OUT = new URL('./out/', import.meta.url).pathname;
mkdirSync(OUT, { recursive: true });

const browser = await launch();
const stand = await StandIn.start();
const complaints = [];

const WAITED = JSON.stringify({ endpointing: 312.4, request: 8.1, model: 421, tools: 240.2, voice: 2.3, total: 984 });

/** The stage of each state: what happens before the picture is taken. */
const STATES = {
  async start({ person, link }) {
    await person.open(link);
  },
  async expired({ person, room }) {
    await person.open(stand.link(room, -5));
  },
  async joining({ person, link }) {
    await person.page.route('**/api/join', () => {}); // never answered: the page stays where it is
    await person.open(link);
    await person.page.getByRole('button', { name: 'Join' }).click();
  },
  async waiting({ person, link }) {
    await person.join(link);
    await person.page.getByText('No agent has come yet').waitFor({ timeout: 15_000 });
  },
  async listening({ person, link, room }) {
    const agent = await talkOf(person, link, room);
    await agent.set({ 'lk.agent.state': 'listening' });
    await person.sees('listening');
    await person.say(clip('caller-mountains'));
    await person.page.waitForTimeout(900);
  },
  async thinking({ person, link, room }) {
    const agent = await talkOf(person, link, room);
    await agent.set({ 'lk.agent.state': 'thinking' });
    await person.sees('thinking');
  },
  async speaking({ person, link, room }) {
    const agent = await talkOf(person, link, room);
    await agent.set({ 'lk.agent.state': 'speaking', 'agent.latency': WAITED });
    await agent.text('SG_5', 'You said: the mountains are covered with fresh snow.', { final: false });
    await person.sees('speaking');
    await agent.speak(clip('agent-greeting'));
    await person.page.waitForTimeout(1200);
  },
  async refused({ person, link, room }) {
    const agent = await talkOf(person, link, room);
    await agent.set({ 'lk.agent.state': 'listening' });
    await person.sees('listening');
  },
  async manual({ person, link, room }) {
    const agent = await talkOf(person, link, room);
    await agent.set({ 'lk.agent.state': 'listening', 'agent.turns': 'manual' });
    await person.page.getByRole('button', { name: 'Hold to talk' }).waitFor();
  },
  async pressing({ person, link, room }) {
    const agent = await talkOf(person, link, room);
    await agent.set({ 'lk.agent.state': 'listening', 'agent.turns': 'manual' });
    await person.page.getByRole('button', { name: 'Hold to talk' }).waitFor();
    await person.page.keyboard.down('Space');
    await person.say(clip('caller-mountains'));
    await person.page.waitForTimeout(900);
  },
  async second({ person, link, room }) {
    const first = await Person.at(browser);
    await first.join(link, 'Anna Berger');
    const agent = await talkOf(person, link, room);
    await agent.set({ 'lk.agent.state': 'listening' });
    await person.sees('listening');
  },
  async echo({ person, link, room }) {
    const agent = await talkOf(person, link, room);
    await agent.set({ 'lk.agent.state': 'listening' });
    await person.sees('listening');
  },
  async ended({ person, link, room }) {
    await talkOf(person, link, room);
    await person.leave();
  },
  async hint({ person }) {
    await person.open(`${stand.origin}/no-agent.html`);
  },
};

/** A talk that has been going on for a while. */
async function talkOf(person, link, room) {
  await person.join(link, 'Mara');
  const agent = await stand.agent(browser, room);
  await agent.set({ 'lk.agent.state': 'listening', 'agent.model': 'simulated-realtime' });
  const identity = `person-${stand.people - 1}`; // the person came just before the agent
  await agent.text('SG_1', 'Say something, and I will repeat it.');
  await person.reads('the greeting', (line) => line.text.startsWith('Say something'));
  await agent.text('SG_2', 'Hello there, can you hear me?', { as: identity });
  await agent.text('SG_3', 'You said: hello there, can you hear me?');
  await agent.text('SG_4', 'The mountains are covered with fresh snow.', { as: identity });
  return agent;
}

let round = 0;
for (const [state, act] of Object.entries(STATES)) {
  if (wanted.length && !wanted.includes(state)) continue;
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark']) {
      const room = `${state}-${++round}`;
      const microphone = state === 'refused' ? 'refused' : 'works';
      const person = await Person.at(browser, { viewport, colorScheme, microphone, echo: state !== 'echo' });
      await act({ person, room, link: stand.link(room) });
      await person.page.screenshot({ path: `${OUT}${state}-${size}-${colorScheme}.png` });
      complaints.push(...person.complaints.map((text) => `${state}: ${text}`));
      for (const context of browser.contexts()) await context.close();
    }
  }
}
stand.stop();
await browser.close();
for (const complaint of complaints) console.error(complaint);
console.log(`pictures in ${OUT}`);
process.exitCode = complaints.length ? 1 : 0;
