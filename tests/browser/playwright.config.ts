import { defineConfig } from '@playwright/test';

// One at a time: real audio in real time needs the machine for itself. Nothing is retried.
export default defineConfig({
  testDir: '.',
  testMatch: '*.spec.ts',
  workers: 1,
  retries: 0,
  timeout: 90_000,
  reporter: [['list']],
  outputDir: 'out/results',
  forbidOnly: true,
});
