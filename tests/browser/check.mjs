// The scripted caller of `cargo xtask demo --check`: talks, listens, interrupts, checks that the agent fell
// silent, and prints one JSON object. Exits 0 only if the agent was heard, was interrupted and fell silent.
//
//   node check.mjs --link http://127.0.0.1:8080/#key=… [--json]

import { parseArgs } from 'node:util';
import { launch } from './lib/chromium.mjs';
import { clip } from './lib/clips.mjs';
import { Person } from './lib/person.mjs';

const { values } = parseArgs({ options: { link: { type: 'string' }, json: { type: 'boolean', default: false } } });
const link = values.link ?? process.env.ROOM_AGENT_LINK;
if (!link) {
  console.error('usage: node check.mjs --link LINK [--json]');
  process.exit(2);
}

/** What was seen; a part that is missing was not reached. Times in milliseconds, on the caller's clock. */
const result = {
  ok: false,
  heard: false,
  interrupted: false,
  silent: false,
  model: null,
  said: [],
  transcript: [],
  latencies: {},
  error: null,
};

const browser = await launch(new URL(link).origin);
const caller = await Person.at(browser);
try {
  await talk(caller);
} catch (error) {
  result.error = String(error.message ?? error).split('\n')[0];
}
result.transcript = await caller.transcript().catch(() => []);
await caller.leave().catch(() => {}); // else the next caller would come second
result.complaints = caller.complaints;
result.ok = result.heard && result.interrupted && result.silent;
await browser.close();
console.log(values.json ? JSON.stringify(result) : summary(result));
process.exitCode = result.ok ? 0 : 1;

async function talk(me) {
  const opened = performance.now();
  await me.join(link, 'Caller');
  await me.speaks(30);
  result.latencies.open_to_greeting = round(performance.now() - opened);
  result.model = (await me.page.getByText('simulated model').count()) > 0 ? 'simulated' : 'real';
  await me.hearsSilence(1_000, 30);

  await ask(me);
  await interrupt(me);
}

/** Says a sentence and listens for the agent's voice; the simulated model repeats the very words. */
async function ask(me) {
  const sentence = clip('caller-mountains');
  await me.forget();
  const { end } = await me.saysAndEnds(sentence);
  if (result.model === 'simulated') {
    for (const part of [clip('agent-you-said'), sentence]) {
      const { score } = await me.hears(part, 20);
      result.said.push({ words: part.words, likeness: Number(score.toFixed(2)) });
    }
  }
  const answered = await me.speaks(20, end);
  result.latencies.end_of_speech_to_answer = round(answered - end);
  result.heard = true;
  await me.hearsSilence(1_000, 30);
}

/** Asks for something long, talks into it, and measures until the last sound of the answer. */
async function interrupt(me) {
  await me.forget();
  const { end } = await me.saysAndEnds(clip('caller-count'));
  await me.speaks(20, end);
  if (result.model === 'simulated') await me.hears(clip('agent-three'), 20);
  else await me.page.waitForTimeout(1_500); // a real model: let it get going
  const { start } = await me.say(clip('caller-wait'));
  result.interrupted = true;
  const { since } = await me.hearsSilence(300, 10);
  result.latencies.interruption_to_silence = round(Math.max(0, since - start));
  // Counting to twenty takes the model about ten seconds: silence this early is obedience.
  result.silent = since - start < 2_000;
  if (result.model === 'simulated') {
    const { score } = await me.hears(clip('caller-wait'), 20);
    result.said.push({ words: clip('caller-wait').words, likeness: Number(score.toFixed(2)) });
  }
}

function summary({ ok, heard, interrupted, silent, latencies, error }) {
  const lines = Object.entries(latencies).map(([name, ms]) => `  ${name.replaceAll('_', ' ')}: ${ms} ms`);
  const facts = `heard ${heard}, interrupted ${interrupted}, silent ${silent}`;
  return [`${ok ? 'good' : 'failed'}: ${facts}`, ...lines, ...(error ? [`  ${error}`] : [])].join('\n');
}

function round(milliseconds) {
  return Math.round(milliseconds);
}
