import { afterEach, expect, test, vi } from 'vitest';
import { join } from './join';

const answer = (status: number, body: unknown) =>
  vi.stubGlobal('fetch', vi.fn(async () => new Response(JSON.stringify(body), { status })));

afterEach(() => vi.unstubAllGlobals());

test('the key and the name go in, and the way into the room comes out', async () => {
  answer(200, { url: 'ws://x', token: 't', room: 'demo', identity: 'guest-1' });
  expect(await join('k', 'Mara')).toEqual({ url: 'ws://x', token: 't', room: 'demo', identity: 'guest-1' });
  expect(fetch).toHaveBeenCalledWith('./api/join', expect.objectContaining({ body: '{"key":"k","name":"Mara"}' }));
});

test('no name is sent where none was given', async () => {
  answer(200, { url: 'ws://x', token: 't' });
  await join('k', '');
  expect(fetch).toHaveBeenCalledWith('./api/join', expect.objectContaining({ body: '{"key":"k"}' }));
});

test('each refusal has its kind', async () => {
  for (const [status, kind] of [[401, 'refused'], [429, 'busy'], [502, 'server'], [500, 'unreachable']] as const) {
    answer(status, { error: 'no' });
    await expect(join('k', '')).rejects.toMatchObject({ kind, message: 'no' });
  }
});

test('a worker that is gone, or something that is no worker, counts as not reached', async () => {
  vi.stubGlobal('fetch', vi.fn(async () => { throw new TypeError('failed'); }));
  await expect(join('k', '')).rejects.toMatchObject({ kind: 'unreachable' });
  vi.stubGlobal('fetch', vi.fn(async () => new Response('<html>', { status: 200 })));
  await expect(join('k', '')).rejects.toMatchObject({ kind: 'unreachable' });
});
