// docker-compose.yml and worker/Dockerfile, as far as a machine without a container engine can check them: the
// compose file against its schema, and that what both files name exists and versions agree.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '../..');
const read = (path) => readFileSync(join(ROOT, path), 'utf8');
const problems = [];
const expect = (good, what) => good || problems.push(what);

lint();
dockerfile(read('worker/Dockerfile'), read('.dockerignore'));
compose(read('docker-compose.yml'));
execFileSync('sh', ['-n', join(ROOT, 'worker/build-image.sh')]);

for (const problem of problems) console.error(problem);
console.log(`compose and Dockerfile: ${problems.length ? `${problems.length} problems` : 'good'}`);
process.exitCode = problems.length ? 1 : 0;

/** Schema and habits, by dclint. */
function lint() {
  const manifest = createRequire(import.meta.url).resolve('dclint/package.json');
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8'));
  const program = join(dirname(manifest), typeof bin === 'string' ? bin : Object.values(bin)[0]);
  try {
    const args = [program, '--config', join(HERE, 'dclint.json'), join(ROOT, 'docker-compose.yml')];
    execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    problems.push(`docker-compose.yml:\n${error.stdout}${error.stderr}`);
  }
}

function dockerfile(text, ignore) {
  const lines = text.replace(/\\\n/g, ' ').split('\n');
  const args = Object.fromEntries(lines.map((line) => /^ARG (\w+)=(.+)$/.exec(line)).filter(Boolean).map((m) => [m[1], m[2]]));
  const rust = /rust-version = "([^"]+)"/.exec(read('Cargo.toml'))?.[1];
  expect(args.RUST_VERSION === rust, `Dockerfile: RUST_VERSION ${args.RUST_VERSION}, Cargo.toml says ${rust}`);
  const node = /\d+/.exec(JSON.parse(read('worker/console/package.json')).engines.node)?.[0];
  expect(args.NODE_VERSION === node, `Dockerfile: NODE_VERSION ${args.NODE_VERSION}, package.json says ${node}`);

  const stages = new Set(lines.map((line) => / AS (\S+)$/.exec(line)?.[1]).filter(Boolean));
  const allowed = ignore.split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  for (const line of lines.filter((one) => one.startsWith('COPY '))) {
    const from = /--from=(\S+)/.exec(line)?.[1];
    if (from) {
      expect(stages.has(from), `Dockerfile: no stage ${from}`);
      continue;
    }
    for (const source of line.split(/\s+/).slice(1, -1)) {
      expect(existsSync(join(ROOT, source)), `Dockerfile: ${source} does not exist`);
      expect(allowed.includes(source.split('/')[0]), `.dockerignore keeps ${source} out`);
    }
  }
  const runs = lines.filter((line) => line.startsWith('RUN ')).join('\n');
  const steps = [...runs.matchAll(/build-image\.sh (\w+)/g)].map((match) => match[1]);
  const script = read('worker/build-image.sh');
  for (const step of steps) expect(script.includes(`\n${step}() {`), `build-image.sh has no step ${step}`);
  expect(steps.length >= 3, 'Dockerfile: the steps stand in build-image.sh');
  expect(/^USER 65532/m.test(text), 'Dockerfile: the worker must not run as root');
  expect(/^HEALTHCHECK .*"healthcheck"/m.test(text), 'Dockerfile: no health check');
  expect(!/:latest/.test(text), 'Dockerfile: no version may be "latest"');
}

function compose(text) {
  const pinned = /livekit-server\/?[^\n]* v(\d+\.\d+\.\d+)/.exec(read('tests/servers/go.mod'))?.[1];
  expect(text.includes(`livekit/livekit-server:v${pinned}`), `docker-compose.yml: tests use livekit-server v${pinned}`);
  const stages = [...read('worker/Dockerfile').matchAll(/ AS (\S+)$/gm)].map((match) => match[1]);
  for (const [, target] of text.matchAll(/target: ([a-z-]+)$/gm)) {
    expect(stages.includes(target), `docker-compose.yml: the Dockerfile has no stage ${target}`);
  }
  for (const [, table, key] of text.matchAll(/ROOM_AGENT__([A-Z]+)__([A-Z_]+):/g)) {
    const found = new RegExp(`^\\[${table.toLowerCase()}\\]$[^]*?^(#: )?${key.toLowerCase()} = `, 'm').test(read('worker/config.example.toml'));
    expect(found, `docker-compose.yml: the worker has no setting ${table.toLowerCase()}.${key.toLowerCase()}`);
  }
}
