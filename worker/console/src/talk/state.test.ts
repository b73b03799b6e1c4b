import { expect, test } from 'vitest';
import type { Person } from '../lib/room';
import { agentOf, isGuest, isSimulated, moodOf, onFact, start, type Fact, type Talk } from './state';

const person = (change: Partial<Person>): Person => ({
  identity: 'x', name: 'X', role: 'person', joined: 0, muted: false, state: null, model: null, latency: null, byHand: false, ...change,
});
const me = person({ identity: 'me', role: 'me', joined: 100 });
const agent = person({ identity: 'agent-1', role: 'agent', joined: 50, state: 'listening', model: 'gpt' });

function after(...facts: Fact[]): Talk {
  return facts.reduce(onFact, start('demo', null));
}
const inRoom = (...people: Person[]): Talk =>
  after({ kind: 'joining' }, { kind: 'joined', room: 'demo' }, { kind: 'people', people });

test('alone with the agent I am no guest', () => {
  const talk = inRoom(me, agent);
  expect(isGuest(talk)).toBe(false);
  expect(agentOf(talk)?.identity).toBe('agent-1');
});

test('when somebody was here before me I am a guest', () => {
  const talk = inRoom(me, agent, person({ identity: 'anna', joined: 90 }));
  expect(isGuest(talk)).toBe(true);
});

test('somebody who comes later does not make me a guest', () => {
  expect(isGuest(inRoom(me, person({ identity: 'late', joined: 110 })))).toBe(false);
});

test('the mood follows the agent and its state', () => {
  expect(moodOf(inRoom(me))).toBe('waiting');
  expect(moodOf(inRoom(me, { ...agent, state: null }))).toBe('preparing');
  expect(moodOf(inRoom(me, { ...agent, state: 'initializing' }))).toBe('preparing');
  expect(moodOf(inRoom(me, { ...agent, state: 'speaking' }))).toBe('speaking');
  expect(moodOf(onFact(inRoom(me, agent), { kind: 'people', people: [me] }))).toBe('gone');
});

test('an agent that comes late takes the warning away, and the warning needs its absence', () => {
  const overdue = onFact(inRoom(me), { kind: 'agent-overdue' });
  expect(overdue.agentOverdue).toBe(true);
  expect(onFact(overdue, { kind: 'people', people: [me, agent] }).agentOverdue).toBe(false);
  expect(onFact(inRoom(me, agent), { kind: 'agent-overdue' }).agentOverdue).toBe(false);
});

test('a simulated model is known by its name', () => {
  expect(isSimulated(inRoom(me, agent))).toBe(false);
  expect(isSimulated(inRoom(me, { ...agent, model: 'simulated-realtime' }))).toBe(true);
});

test('a failed join comes back to the start and says why', () => {
  const talk = after({ kind: 'joining' }, { kind: 'closed', reason: 'lost' }, { kind: 'start-failed', problem: 'expired' });
  expect(talk.phase).toEqual({ kind: 'start', problem: 'expired' });
});

test('the transcript is still there when the talk has ended, and gone at the next join', () => {
  const text = { kind: 'text', text: { kind: 'open', stream: 's', segment: null, speaker: 'me', name: 'me', typed: true } } as const;
  const ended = onFact(onFact(inRoom(me), text), { kind: 'closed', reason: 'room-closed' });
  expect(ended.phase).toEqual({ kind: 'ended', reason: 'room-closed' });
  expect(ended.transcript.lines).toHaveLength(1);
  expect(onFact(ended, { kind: 'joining' }).transcript.lines).toHaveLength(0);
});
