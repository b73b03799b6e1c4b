// Core: everything the talk page shows, and how each fact changes it. No clock, no room, no DOM.

import type { CloseReason, MicrophoneProblem, Person, RoomFact } from '../lib/room';
import { EMPTY, onText, type Transcript } from '../lib/transcript';

export type KeyProblem = 'missing' | 'expired' | 'refused';

export type JoinProblem = KeyProblem | 'busy' | 'unreachable' | 'server';

export type Phase =
  | { kind: 'start'; problem: JoinProblem | null }
  | { kind: 'joining' }
  | { kind: 'talking' }
  | { kind: 'ended'; reason: CloseReason };

/** `closed`: not asked for yet. `muted`: open, but silent. */
export type Microphone = 'closed' | 'opening' | 'open' | 'muted' | MicrophoneProblem | 'lost';

export interface Talk {
  readonly phase: Phase;
  readonly room: string | null;
  readonly people: readonly Person[];
  readonly transcript: Transcript;
  readonly microphone: Microphone;
  readonly echoCancelled: boolean;
  readonly soundBlocked: boolean;
  readonly reconnecting: boolean;
  /** I press to talk. */
  readonly pressing: boolean;
  /** Ten seconds have passed without an agent. */
  readonly agentOverdue: boolean;
  /** The agent was here before. */
  readonly agentSeen: boolean;
  readonly mine: MediaStreamTrack | null;
  readonly voice: MediaStreamTrack | null;
}

export type Fact =
  | RoomFact
  | { kind: 'start-failed'; problem: JoinProblem }
  | { kind: 'joining' }
  | { kind: 'joined'; room: string }
  | { kind: 'microphone'; microphone: Microphone; echoCancelled?: boolean }
  | { kind: 'agent-overdue' }
  | { kind: 'press'; down: boolean };

export function start(room: string | null, problem: KeyProblem | null): Talk {
  return {
    phase: { kind: 'start', problem },
    room,
    people: [],
    transcript: EMPTY,
    microphone: 'closed',
    echoCancelled: true,
    soundBlocked: false,
    reconnecting: false,
    pressing: false,
    agentOverdue: false,
    agentSeen: false,
    mine: null,
    voice: null,
  };
}

export function onFact(talk: Talk, fact: Fact): Talk {
  switch (fact.kind) {
    case 'joining':
      return { ...start(talk.room, null), phase: { kind: 'joining' } };
    case 'start-failed':
      return { ...talk, phase: { kind: 'start', problem: fact.problem } };
    case 'joined':
      return { ...talk, phase: { kind: 'talking' }, room: fact.room || talk.room };
    case 'people':
      return onPeople(talk, fact.people);
    case 'text':
      return { ...talk, transcript: onText(talk.transcript, fact.text) };
    case 'microphone':
      return { ...talk, microphone: fact.microphone, echoCancelled: fact.echoCancelled ?? talk.echoCancelled };
    case 'microphone-lost':
      return { ...talk, microphone: 'lost' };
    case 'sound':
      return { ...talk, soundBlocked: fact.blocked };
    case 'reconnecting':
      return { ...talk, reconnecting: true };
    case 'connected':
      return { ...talk, reconnecting: false };
    case 'tracks':
      return { ...talk, mine: fact.mine, voice: fact.agent };
    case 'press':
      return { ...talk, pressing: fact.down };
    case 'agent-overdue':
      return { ...talk, agentOverdue: agentOf(talk) === null };
    case 'closed':
      if (talk.phase.kind !== 'talking') return talk; // joining failed: that is told by itself
      return { ...talk, phase: { kind: 'ended', reason: fact.reason }, mine: null, voice: null, people: [] };
  }
}

function onPeople(talk: Talk, people: readonly Person[]): Talk {
  const hasAgent = people.some((person) => person.role === 'agent');
  return {
    ...talk,
    people,
    agentSeen: talk.agentSeen || hasAgent,
    agentOverdue: talk.agentOverdue && !hasAgent,
  };
}

export function agentOf(talk: Talk): Person | null {
  return talk.people.find((person) => person.role === 'agent') ?? null;
}

/** Somebody was here before me, so I start muted. */
export function isGuest(talk: Talk): boolean {
  const humans = talk.people.filter((person) => person.role !== 'agent');
  humans.sort((a, b) => a.joined - b.joined || a.identity.localeCompare(b.identity));
  return humans[0]?.role === 'person';
}

export type Mood = 'waiting' | 'preparing' | 'idle' | 'listening' | 'thinking' | 'speaking' | 'gone';

/** What the agent is doing, as the page shows it. */
export function moodOf(talk: Talk): Mood {
  const agent = agentOf(talk);
  if (!agent) return talk.agentSeen ? 'gone' : 'waiting';
  switch (agent.state) {
    case 'idle':
    case 'listening':
    case 'thinking':
    case 'speaking':
      return agent.state;
    default:
      return 'preparing';
  }
}

/** The agent hears who presses to talk. */
export function isByHand(talk: Talk): boolean {
  return agentOf(talk)?.byHand ?? false;
}

export function isSimulated(talk: Talk): boolean {
  return agentOf(talk)?.model?.startsWith('simulated') ?? false;
}
