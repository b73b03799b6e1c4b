import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { JoinError } from '../lib/join';
import { PictureError } from '../lib/picture';
import { ConnectError, type MicrophoneResult, type Person, type RoomFact, type RoomLink } from '../lib/room';
import { Call, type World } from './call';

const KEY = { signed: 'k', room: 'demo', expires: 1000 };
const person = (change: Partial<Person>): Person => ({
  identity: 'x', name: 'X', role: 'person', joined: 0, muted: false, state: null, model: null, latency: null, byHand: false, ...change,
});
const me = person({ identity: 'me', role: 'me', joined: 10 });

/** A room with the given people, and a record of what the page did there. */
function world(people: Person[], microphone: MicrophoneResult = { ok: true, echoCancelled: true }) {
  const acts: string[] = [];
  let tell: (fact: RoomFact) => void = () => {};
  const link: RoomLink = {
    openMicrophone: async () => (acts.push('open'), microphone),
    setMuted: async (muted) => void acts.push(muted ? 'mute' : 'unmute'),
    say: async (text) => void acts.push(`say ${text}`),
    show: async (picture) => void acts.push(`show ${picture.name}`),
    press: async (agent, down) => void acts.push(`${agent} ${down ? 'down' : 'up'}`),
    allowSound: async () => void acts.push('sound'),
    leave: async () => tell({ kind: 'closed', reason: 'left' }),
  };
  const it: World = {
    join: async () => ({ url: 'ws://x', token: 't', room: 'demo', identity: 'me' }),
    connect: async (_url, _token, listener) => {
      tell = listener;
      tell({ kind: 'people', people });
      return link;
    },
    shrink: async (file) => {
      if (!file.type.startsWith('image/')) throw new PictureError('unreadable');
      return new File([file], 'small.jpg');
    },
    now: () => 500,
  };
  return { it, acts, tell: (fact: RoomFact) => tell(fact) };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('one click joins and opens the microphone', async () => {
  const { it, acts } = world([me]);
  const call = new Call(it, KEY);
  await call.join('');
  expect(call.state.phase.kind).toBe('talking');
  expect(call.state.microphone).toBe('open');
  expect(acts).toEqual(['open']);
});

test('whoever comes second starts muted, and one act opens the microphone', async () => {
  const { it, acts } = world([me, person({ identity: 'anna', joined: 5 })]);
  const call = new Call(it, KEY);
  await call.join('');
  expect(acts).toEqual([]);
  expect(call.state.microphone).toBe('closed');
  await call.toggleMicrophone();
  expect(call.state.microphone).toBe('open');
});

test('mute and unmute go to the room', async () => {
  const { it, acts } = world([me]);
  const call = new Call(it, KEY);
  await call.join('');
  await call.toggleMicrophone();
  expect(call.state.microphone).toBe('muted');
  await call.toggleMicrophone();
  expect(call.state.microphone).toBe('open');
  expect(acts).toEqual(['open', 'mute', 'unmute']);
});

test('a refused microphone leaves me in the room, and I can type', async () => {
  const { it, acts } = world([me], { ok: false, problem: 'refused' });
  const call = new Call(it, KEY);
  await call.join('');
  expect(call.state.phase.kind).toBe('talking');
  expect(call.state.microphone).toBe('refused');
  await call.say('  hello ');
  await call.say('   ');
  expect(acts).toEqual(['open', 'say hello']);
});

test('echo cancellation that is off is known', async () => {
  const { it } = world([me], { ok: true, echoCancelled: false });
  const call = new Call(it, KEY);
  await call.join('');
  expect(call.state.echoCancelled).toBe(false);
});

test('an agent that does not come within ten seconds is overdue, not before', async () => {
  const { it } = world([me]);
  const call = new Call(it, KEY);
  await call.join('');
  vi.advanceTimersByTime(9_999);
  expect(call.state.agentOverdue).toBe(false);
  vi.advanceTimersByTime(1);
  expect(call.state.agentOverdue).toBe(true);
});

test('a key that is missing or expired is said before anything is asked', async () => {
  const { it } = world([me]);
  const join = vi.spyOn(it, 'join');
  expect(new Call(it, null).state.phase).toEqual({ kind: 'start', problem: 'missing' });
  const call = new Call(it, { ...KEY, expires: 400 });
  expect(call.state.phase).toEqual({ kind: 'start', problem: 'expired' });
  await call.join('');
  expect(join).not.toHaveBeenCalled();
});

test('each way to fail at joining is told apart, and a second try is possible', async () => {
  const { it } = world([me]);
  const call = new Call(it, KEY);
  const good = { ...it };
  it.join = async () => { throw new JoinError('refused', 'no'); };
  await call.join('');
  expect(call.state.phase).toEqual({ kind: 'start', problem: 'refused' });
  it.join = async () => { throw new JoinError('unreachable', 'no'); };
  await call.join('');
  expect(call.state.phase).toEqual({ kind: 'start', problem: 'unreachable' });
  it.join = good.join;
  it.connect = async () => { throw new ConnectError('unreachable'); };
  await call.join('');
  expect(call.state.phase).toEqual({ kind: 'start', problem: 'server' });
  it.connect = good.connect;
  await call.join('');
  expect(call.state.phase.kind).toBe('talking');
});

test('leaving ends the talk and stops the timer', async () => {
  const { it } = world([me]);
  const call = new Call(it, KEY);
  await call.join('');
  await call.leave();
  expect(call.state.phase).toEqual({ kind: 'ended', reason: 'left' });
  expect(vi.getTimerCount()).toBe(0);
});

test('a press goes to the agent once, and only where it hears who presses', async () => {
  const agent = person({ identity: 'agent-1', role: 'agent', byHand: true });
  const { it, acts, tell } = world([me, agent]);
  const call = new Call(it, KEY);
  await call.join('');
  await call.press(true);
  await call.press(true);
  expect(call.state.pressing).toBe(true);
  await call.press(false);
  expect(call.state.pressing).toBe(false);
  tell({ kind: 'people', people: [me, { ...agent, byHand: false }] });
  await call.press(true);
  expect(acts).toEqual(['open', 'agent-1 down', 'agent-1 up']);
});

test('a press that the agent does not take is not shown', async () => {
  const agent = person({ identity: 'agent-1', role: 'agent', byHand: true });
  const { it } = world([me, agent]);
  const connect = it.connect;
  it.connect = async (url, token, tell) => {
    const link = await connect(url, token, tell);
    return { ...link, press: () => Promise.reject(new Error('gone')) };
  };
  const call = new Call(it, KEY);
  await call.join('');
  await call.press(true);
  expect(call.state.pressing).toBe(false);
});

test('a release that is not taken is sent again, and nothing overtakes a press', async () => {
  const agent = person({ identity: 'agent-1', role: 'agent', byHand: true });
  const { it } = world([me, agent]);
  const connect = it.connect;
  const sent: boolean[] = [];
  it.connect = async (url, token, tell) => {
    const link = await connect(url, token, tell);
    const press = async (_: string, down: boolean) => {
      await new Promise((resolve) => setTimeout(resolve, down ? 20 : 0));
      sent.push(down);
      if (sent.length === 2) throw new Error('lost');
    };
    return { ...link, press };
  };
  const call = new Call(it, KEY);
  await call.join('');
  const down = call.press(true);
  const up = call.press(false);
  await vi.advanceTimersByTimeAsync(100);
  await Promise.all([down, up]);
  expect(sent).toEqual([true, false, false]);
  expect(call.state.pressing).toBe(false);
});

test('a picture is made small and shown; what is none is not sent', async () => {
  const { it, acts } = world([me]);
  const call = new Call(it, KEY);
  await call.join('');
  await call.show(new Blob(['x'], { type: 'image/png' }));
  await expect(call.show(new Blob(['x'], { type: 'text/plain' }))).rejects.toThrow(PictureError);
  expect(acts).toEqual(['open', 'show small.jpg']);
});
