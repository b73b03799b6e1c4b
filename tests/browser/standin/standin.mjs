// A real LiveKit server, the built page under the worker's content security policy, and an agent played
// by a browser page: what tests of the page alone and its screenshots stand on. Development only.

import { spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer } from 'node:net';
import { createSocket } from 'node:dgram';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../lib/wait.mjs';

const KEY = 'standin';
const SECRET = randomBytes(24).toString('hex');
const DIST = fileURLToPath(new URL('../../../worker/console/dist/', import.meta.url));
const HERE = fileURLToPath(new URL('.', import.meta.url));
const CLIENT = fileURLToPath(new URL('../node_modules/livekit-client/dist/livekit-client.umd.js', import.meta.url));

/** As the worker serves the page. */
const policy = (livekit) =>
  `default-src 'self'; connect-src 'self' ${livekit} ${livekit.replace('ws', 'http')}; img-src 'self' data:; ` +
  "media-src 'self' blob: mediastream:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

export class StandIn {
  static async start() {
    const binary = process.env.LIVEKIT_SERVER_BIN ?? 'livekit-server';
    const folder = mkdtempSync(join(tmpdir(), 'standin-'));
    const [port, tcp, udp] = [await freePort(), await freePort(), await freeUdpPort()];
    const config = join(folder, 'livekit.yaml');
    writeFileSync(config, serverConfig(port, tcp, udp));
    const server = spawn(binary, ['--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    process.on('exit', () => server.kill('SIGKILL')); // also when a test dies
    let lastWords = '';
    server.stderr.on('data', (data) => (lastWords = (lastWords + data).slice(-2000)));
    server.on('error', (error) => (lastWords = String(error)));
    await until(
      'livekit-server answers',
      () => fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.ok, () => false),
    ).catch((error) => {
      throw new Error(`${error.message}\n${lastWords}`);
    });
    return new StandIn(folder, server, `ws://127.0.0.1:${port}`).#serve();
  }

  constructor(folder, server, url) {
    this.folder = folder;
    this.server = server;
    this.url = url;
    this.people = 0;
  }

  async #serve() {
    this.http = createHttp((request, response) => void this.#answer(request, response));
    await new Promise((resolve) => this.http.listen(0, '127.0.0.1', resolve));
    this.origin = `http://127.0.0.1:${this.http.address().port}`;
    return this;
  }

  stop() {
    this.http.close();
    this.http.closeAllConnections();
    this.server.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A link to the talk page, good for so many seconds. */
  link(room, seconds = 600) {
    return `${this.origin}/#key=${sign({ iss: KEY, sub: 'talk', room, exp: now() + seconds })}`;
  }

  /** An agent that joins the room. It has its own page and is driven by the test. */
  async agent(browser, room) {
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${this.origin}/standin/`);
    const identity = `agent-${++this.people}`;
    const token = this.#token(room, identity, { kind: 'agent', video: { agent: true, canUpdateOwnMetadata: true } });
    await page.evaluate(([url, t]) => window.__join(url, t), [this.url, token]);
    return new Agent(page, identity);
  }

  #token(room, identity, { name = '', kind = 'standard', video = {} } = {}) {
    return sign({
      iss: KEY, sub: identity, name, kind, nbf: now() - 5, exp: now() + 3600,
      video: { room, roomJoin: true, canPublish: true, canSubscribe: true, canPublishData: true, ...video },
    });
  }

  async #answer(request, response) {
    const { pathname } = new URL(request.url, this.origin);
    if (request.method === 'POST' && pathname === '/api/join') return this.#join(request, response);
    const file = fileOf(pathname);
    try {
      const body = readFileSync(file);
      const headers = { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' };
      if (file.startsWith(DIST)) headers['content-security-policy'] = policy(this.url);
      response.writeHead(200, headers).end(body);
    } catch {
      response.writeHead(404).end();
    }
  }

  async #join(request, response) {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { key, name } = JSON.parse(body);
    const claims = verify(key);
    const reply = (status, value) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (!claims) return reply(401, { error: 'the key is not good' });
    const identity = `person-${++this.people}`;
    const token = this.#token(claims.room, identity, { name });
    return reply(200, { url: this.url, token, room: claims.room, identity });
  }
}

export class Agent {
  constructor(page, identity) {
    this.page = page;
    this.identity = identity;
  }
  set(attributes) {
    return this.page.evaluate((all) => window.__set(all), attributes);
  }
  speak(clip) {
    const base64 = Buffer.from(clip.samples.buffer, clip.samples.byteOffset, clip.samples.byteLength).toString('base64');
    return this.page.evaluate(([data, rate]) => window.__speak(data, rate), [base64, clip.rate]);
  }
  text(segment, text, options = {}) {
    return this.page.evaluate(([s, t, o]) => window.__text(s, t, o), [segment, text, options]);
  }
  /** Who pressed to talk (true) and let go (false), in order. */
  presses() {
    return this.page.evaluate(() => window.__presses);
  }
  /** Format and size of every picture that was shown. */
  pictures() {
    return this.page.evaluate(() => window.__pictures);
  }
  async leave() {
    await this.page.evaluate(() => window.__leave());
    await this.page.context().close();
  }
}

function fileOf(pathname) {
  if (pathname === '/standin/') return join(HERE, 'agent.html');
  if (pathname === '/agent.js') return join(HERE, 'agent.js');
  if (pathname === '/livekit-client.js') return CLIENT;
  const name = pathname === '/' ? 'index.html' : pathname.slice(1);
  return name.includes('..') ? '' : join(DIST, name);
}

/** Everything on loopback, and no public STUN server is asked. */
function serverConfig(port, tcp, udp) {
  return `port: ${port}
bind_addresses: ["127.0.0.1"]
rtc:
  node_ip: 127.0.0.1
  use_external_ip: false
  udp_port: ${udp}
  tcp_port: ${tcp}
  enable_loopback_candidate: true
  interfaces: { includes: [lo] }
  stun_servers: ["127.0.0.1:3478"]
keys: { ${KEY}: "${SECRET}" }
logging: { level: warn, pion_level: error }
room: { auto_create: true, empty_timeout: 10, departure_timeout: 5 }
`;
}

const now = () => Math.floor(Date.now() / 1000);
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function sign(claims) {
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${body}.${createHmac('sha256', SECRET).update(body).digest('base64url')}`;
}

function verify(jwt) {
  const [head, body, signature] = String(jwt).split('.');
  const good = createHmac('sha256', SECRET).update(`${head}.${body}`).digest('base64url');
  if (signature !== good) return null;
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
  return claims.sub === 'talk' && claims.exp > now() ? claims : null;
}

function freePort() {
  const probe = createServer();
  return new Promise((resolve) => probe.listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  }));
}

function freeUdpPort() {
  const probe = createSocket('udp4');
  return new Promise((resolve) => probe.bind(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => resolve(port));
  }));
}
