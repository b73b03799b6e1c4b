// A person at a browser: opens the link, joins, speaks clips, listens, reads the page.

import { readFileSync } from 'node:fs';
import { SAME, find } from './ears.mjs';
import { until } from './wait.mjs';

const PAGE_AUDIO = readFileSync(new URL('./page_audio.js', import.meta.url), 'utf8');

/** Louder than this is a voice, in dBFS per 10 ms. The comfort noise of codecs is far below. */
const VOICE = -45;

export class Person {
  /** Where the recording was last cut by `forget`, in blocks of 10 ms. */
  #from = 0;
  /** Messages of the browser's console that a customer should never cause. */
  complaints = [];

  static async at(browser, { microphone = 'works', echo = true, viewport, colorScheme = 'light' } = {}) {
    const context = await browser.newContext({ viewport: viewport ?? { width: 1280, height: 800 }, colorScheme });
    await context.addInitScript(`window.__people = ${JSON.stringify({ microphone, echo })};`);
    await context.addInitScript(PAGE_AUDIO);
    return new Person(context, await context.newPage());
  }

  constructor(context, page) {
    this.context = context;
    this.page = page;
    page.on('console', (message) => {
      if (message.type() === 'error') this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(String(error)));
  }

  async open(link) {
    await this.page.goto(link);
  }

  async join(link, name = '') {
    await this.open(link);
    if (name) await this.page.getByLabel('Your name').fill(name);
    await this.page.getByRole('button', { name: 'Join' }).click();
    await this.page.getByRole('button', { name: 'Leave' }).waitFor({ timeout: 15_000 });
  }

  async leave() {
    await this.page.getByRole('button', { name: 'Leave' }).click({ timeout: 5_000 });
    await this.page.getByRole('button', { name: 'Join again' }).waitFor({ timeout: 5_000 });
  }

  async close() {
    await this.context.close();
  }

  /** What the page says the agent does: waiting, listening, thinking, speaking… */
  mood() {
    return this.page.locator('.presence').getAttribute('data-mood');
  }

  async sees(mood, seconds = 15) {
    let shown;
    const attempt = async () => (shown = await this.mood()) === mood;
    await until(`the page shows ${mood}`, attempt, seconds).catch((error) => {
      throw new Error(`${error.message} (it shows ${shown})`);
    });
  }

  /** Lines of the transcript: who, text, complete or not. */
  transcript() {
    return this.page.locator('.line').evaluateAll((lines) =>
      lines.map((line) => ({
        who: line.querySelector('.by').firstChild.textContent,
        text: line.querySelector('p').textContent,
        final: line.dataset.final === 'true',
      })),
    );
  }

  async reads(what, test, seconds = 15) {
    return until(`the transcript has ${what}`, async () => (await this.transcript()).find(test), seconds);
  }

  /** Starts to speak; resolves at once with when the first and the last sample leave, on the page's clock. */
  say(clip) {
    const base64 = Buffer.from(clip.samples.buffer, clip.samples.byteOffset, clip.samples.byteLength).toString('base64');
    return this.page.evaluate(([data, rate]) => window.__say(data, rate), [base64, clip.rate]);
  }

  async saysAndEnds(clip) {
    const span = await this.say(clip);
    await this.page.waitForFunction((end) => performance.now() >= end, span.end);
    return span;
  }

  /** Everything heard since the last `forget`, from the track that said most. */
  async recording() {
    const index = await this.page.evaluate(() => {
      const voiced = window.__recordings.map((one) => one.loud.filter((level) => level > -45).length);
      return voiced.indexOf(Math.max(...voiced));
    });
    const heard = index < 0 ? null : await this.page.evaluate(([i, from]) => window.__heard(i, from), [index, this.#from]);
    if (!heard) return { samples: new Int16Array(), times: [], loud: [] };
    const bytes = Buffer.from(heard.base64, 'base64');
    const samples = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    return { samples, times: heard.times, loud: heard.loud };
  }

  /** What was heard so far does not count for what comes. */
  async forget() {
    this.#from = await this.page.evaluate(() => Math.max(0, ...window.__recordings.map((one) => one.times.length)));
  }

  /** Waits until this clip was heard; gives the likeness and when it began and ended, on the page's clock. */
  async hears(clip, seconds = 15) {
    let best = 0;
    const attempt = async () => {
      const { samples, times } = await this.recording();
      const { score, frame } = find(clip.ear, samples);
      best = Math.max(best, score);
      if (score < SAME) return null;
      const last = Math.min(times.length - 1, frame + Math.round(clip.seconds * 100));
      return { score, start: times[frame], end: times[last] };
    };
    return until(`“${clip.words}” is heard`, attempt, seconds).catch((error) => {
      throw new Error(`${error.message} (likeness at best ${best.toFixed(2)})`);
    });
  }

  /** Asks until the answer begins, as a person does who was not understood: a browser on a busy machine may
   * garble what is said into its microphone. */
  async asks(question, answer, times = 3) {
    await this.saysAndEnds(question);
    try {
      return await this.hears(answer, 10);
    } catch (error) {
      if (times === 1) throw error;
    }
    await this.settles();
    return this.asks(question, answer, times - 1);
  }

  /** How alike the clip is to the best place in what was heard. */
  async likeness(clip) {
    return find(clip.ear, (await this.recording()).samples).score;
  }

  /** Waits until the agent listens and has said its greeting, if there is one: a room that was left a moment
   * ago may still have its agent, which greets nobody twice. */
  async settles() {
    await this.sees('listening', 30);
    await this.hearsSilence(1_500, 30);
    await this.sees('listening');
  }

  /** Waits for a voice, whatever it says; gives when it began. */
  speaks(seconds = 15, after = 0) {
    return until('a voice is heard', () => this.voiceAfter(after), seconds);
  }

  /** When a voice was first heard after `time`, or null. */
  async voiceAfter(time) {
    const { times, loud } = await this.recording();
    const at = loud.findIndex((level, n) => level > VOICE && times[n] >= time);
    return at < 0 ? null : times[at];
  }

  /** The last moment at which a voice was heard, or null. */
  async lastVoice() {
    const { times, loud } = await this.recording();
    const at = loud.findLastIndex((level) => level > VOICE);
    return at < 0 ? null : times[at];
  }

  /** Waits until no voice was heard for so long; gives the moment it fell silent. */
  async hearsSilence(forMs, seconds = 15) {
    let heard;
    const attempt = async () => {
      const { times } = await this.recording();
      const last = (await this.lastVoice()) ?? times[0];
      heard = `${times.length * 10} ms heard, the last voice ${Math.round(times.at(-1) - last)} ms ago`;
      return times.length > 0 && times.at(-1) - last >= forMs ? { since: last } : null;
    };
    return until(`${forMs} ms of silence`, attempt, seconds).catch((error) => {
      throw new Error(`${error.message} (${heard})`);
    });
  }
}
