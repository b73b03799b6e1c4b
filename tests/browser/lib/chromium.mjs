// One headless Chromium, quiet on the network, that may use loopback for media.

import { existsSync } from 'node:fs';
import { chromium } from '@playwright/test';

const FLAGS = [
  '--autoplay-policy=no-user-gesture-required',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-gpu',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
  '--no-sandbox',
  // Timers of a page that is not in front must not slow down: people in tests talk side by side.
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
];

/** A browser; `origin`: of a page on another machine, which may use the microphone although it comes without HTTPS. */
export function launch(origin) {
  const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
    .find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('no Chromium: install the package chromium, or name one in CHROMIUM');
  return chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...trusting(origin)] });
}

function trusting(origin) {
  return origin ? [`--unsafely-treat-insecure-origin-as-secure=${origin}`] : [];
}
