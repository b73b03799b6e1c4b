// The scripted caller of `cargo xtask demo --example receptionist --check`: is told that it is an AI, has a slot
// offered, asks for a person, takes the slot, hears its number and says goodbye. Prints one JSON object; its `ok` says
// whether all of that came.
//
//   node receptionist.mjs --link http://127.0.0.1:8080/#key=…

import { parseArgs } from 'node:util';
import { launch } from './lib/chromium.mjs';
import { clip } from './lib/clips.mjs';
import { Person } from './lib/person.mjs';

const { values } = parseArgs({ options: { link: { type: 'string' } } });
if (!values.link) {
  console.error('usage: node receptionist.mjs --link LINK');
  process.exit(2);
}

/** What was heard, in order, and the number the caller was given. */
const result = { ok: false, said: [], number: null, transcript: [], error: null };

const browser = await launch();
const caller = await Person.at(browser);
try {
  await books(caller);
  result.ok = true;
} catch (error) {
  result.error = String(error.message ?? error).split('\n')[0];
}
result.transcript = await caller.transcript().catch(() => []);
result.complaints = caller.complaints;
await caller.leave().catch(() => {}); // the agent may have ended the call
await browser.close();
console.log(JSON.stringify(result));
process.exitCode = result.ok ? 0 : 1;

async function books(me) {
  await me.join(values.link, 'Caller');
  // The first sound in a room and the last one are read: a browser on a busy machine may lose a little of either.
  await reads(me, 'agent-disclosure');
  await hears(me, 'agent-practice');

  // It does not understand what it is told; every turn takes it a step further.
  await says(me, 'caller-mountains');
  await hears(me, 'agent-first-free');
  await hears(me, 'agent-shall-i');
  await types(me, 'Is there a person I can talk to?');
  await hears(me, 'agent-colleague');
  await says(me, 'caller-apples');
  await hears(me, 'agent-booked');
  const line = await me.reads('the number', ({ text, final }) => final && /number is \d+/.test(text));
  result.number = Number(/number is (\d+)/.exec(line.text)[1]);
  await says(me, 'caller-goodbye');
  await reads(me, 'agent-goodbye');
}

async function says(me, name) {
  await settles(me);
  await me.saysAndEnds(clip(name));
}

async function types(me, text) {
  await settles(me);
  await me.page.getByLabel('Type to the agent').fill(text);
  await me.page.getByRole('button', { name: 'Send' }).click();
}

/** Nobody is interrupted here. */
async function settles(me) {
  await me.settles();
  await me.forget();
}

function reads(me, name) {
  const { words } = clip(name);
  return me.reads(`“${words}”`, ({ text, final }) => final && text === words, 30);
}

async function hears(me, name) {
  const { score } = await me.hears(clip(name), 20);
  result.said.push({ words: clip(name).words, likeness: Number(score.toFixed(2)) });
}
