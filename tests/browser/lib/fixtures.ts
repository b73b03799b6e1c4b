// What every spec starts from: one Chromium, people in it, and either the whole stack (`link`) or a
// server with a stand-in agent (`stand`). Nobody may leave an error in the browser's console.

import { test as base, expect } from '@playwright/test';
import type { Browser } from '@playwright/test';
import { launch } from './chromium.mjs';
import { Person } from './person.mjs';
import { StandIn } from '../standin/standin.mjs';

interface Options {
  microphone?: 'works' | 'refused' | 'missing';
  echo?: boolean;
  viewport?: { width: number; height: number };
  /** Messages the test itself provokes. */
  expected?: RegExp;
}

interface PerTest {
  /** A person who is gone when the test is over. */
  person: (options?: Options) => Promise<Person>;
  room: string;
}

interface PerWorker {
  chromium_: Browser;
  stand: StandIn;
  link: string;
}

let rooms = 0;

export const test = base.extend<PerTest, PerWorker>({
  chromium_: [
    async ({}, use) => {
      const browser = await launch();
      await use(browser);
      await browser.close();
    },
    { scope: 'worker' },
  ],
  stand: [
    async ({}, use) => {
      const stand = await StandIn.start();
      await use(stand);
      stand.stop();
    },
    { scope: 'worker' },
  ],
  link: [
    async ({}, use) => {
      const link = process.env['ROOM_AGENT_LINK'];
      if (!link) throw new Error('ROOM_AGENT_LINK is not set: `cargo xtask browser` starts the stack and sets it');
      await use(link);
    },
    { scope: 'worker' },
  ],
  room: async ({}, use) => use(`room-${process.pid}-${++rooms}`),
  person: async ({ chromium_ }, use) => {
    const all: { one: Person; expected: RegExp | undefined }[] = [];
    await use(async ({ expected, ...options } = {}) => {
      const one = await Person.at(chromium_, options);
      all.push({ one, expected });
      return one;
    });
    for (const { one, expected } of all) {
      const complaints = one.complaints.filter((text: string) => !expected?.test(text));
      await one.close();
      expect(complaints, 'errors in the browser console').toEqual([]);
    }
  },
});

export { expect };
