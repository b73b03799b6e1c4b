// A participant in headless Chromium, told what to do by JSON lines on stdin: the orders and answers of
// `peer.py`, carried out by `page.js`. It ends with its stdin.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { launch } from '../browser/lib/chromium.mjs';

const file = (path) => readFileSync(new URL(path, import.meta.url));
const FILES = {
  '/': ['text/html', '<!doctype html><meta charset="utf-8" /><script src="/client.js"></script><script src="/page.js"></script>'],
  '/client.js': ['text/javascript', file('../browser/node_modules/livekit-client/dist/livekit-client.umd.js')],
  '/sealing.js': ['text/javascript', file('../browser/node_modules/livekit-client/dist/livekit-client.e2ee.worker.js')],
  '/page.js': ['text/javascript', file('page.js')],
};

const server = createServer((request, response) => {
  const [type, body] = FILES[request.url] ?? [];
  if (body) response.writeHead(200, { 'content-type': type }).end(body);
  else response.writeHead(404).end();
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const browser = await launch();
const page = await browser.newPage();
page.on('console', (message) => console.error(message.text()));
page.on('pageerror', (error) => console.error(String(error)));
await page.goto(`http://127.0.0.1:${server.address().port}/`);

for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: order, ...rest } = JSON.parse(line);
  const answer = await page
    .evaluate(([name, values]) => window.peer[name](values), [order, rest])
    .then((value) => value ?? {}, (error) => ({ error: String(error.message).split('\n')[0] }));
  console.log(JSON.stringify({ id, ...answer }));
}
await browser.close();
server.close();
server.closeAllConnections();
