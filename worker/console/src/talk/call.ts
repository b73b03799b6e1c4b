// Driver: one visit to the room. Owns the link, the ten-second timer and the state; the views only read
// the state and call the acts below.

import { isExpired, type Key } from '../lib/key';
import { JoinError, type Admission } from '../lib/join';
import { ConnectError, type Connect, type RoomLink } from '../lib/room';
import { agentOf, isGuest, onFact, start, type Fact, type JoinProblem, type Talk } from './state';

/** A release is sent so often at most; each attempt has its own deadline. */
const RELEASES = 3;
/** After this long without an agent the page offers help. */
const AGENT_OVERDUE = 10_000; // ms

export interface World {
  join(key: string, name: string): Promise<Admission>;
  connect: Connect;
  shrink(file: Blob): Promise<File>;
  /** Seconds since 1970. */
  now(): number;
}

export class Call {
  state: Talk;
  #link: RoomLink | null = null;
  #presses: Promise<void> = Promise.resolve();
  #overdue: ReturnType<typeof setTimeout> | undefined;
  #watchers = new Set<() => void>();

  constructor(
    private readonly world: World,
    private readonly key: Key | null,
  ) {
    const problem = key === null ? 'missing' : isExpired(key, world.now()) ? 'expired' : null;
    this.state = start(key?.room ?? null, problem);
  }

  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  async join(name: string): Promise<void> {
    const { key } = this;
    if (key === null || this.state.phase.kind === 'joining' || this.state.phase.kind === 'talking') return;
    if (isExpired(key, this.world.now())) {
      this.#tell({ kind: 'start-failed', problem: 'expired' });
      return;
    }
    this.#tell({ kind: 'joining' });
    try {
      const admission = await this.world.join(key.signed, name.trim());
      this.#link = await this.world.connect(admission.url, admission.token, (fact) => this.#tell(fact));
      this.#tell({ kind: 'joined', room: admission.room });
    } catch (error) {
      this.#tell({ kind: 'start-failed', problem: problemOf(error) });
      return;
    }
    this.#overdue = setTimeout(() => this.#tell({ kind: 'agent-overdue' }), AGENT_OVERDUE);
    // Whoever comes second does not talk into somebody else's conversation by accident.
    if (!isGuest(this.state)) await this.openMicrophone();
  }

  async openMicrophone(): Promise<void> {
    const link = this.#link;
    if (!link) return;
    this.#tell({ kind: 'microphone', microphone: 'opening' });
    const result = await link.openMicrophone();
    if (link !== this.#link) return;
    if (result.ok) {
      this.#tell({ kind: 'microphone', microphone: 'open', echoCancelled: result.echoCancelled });
    } else {
      this.#tell({ kind: 'microphone', microphone: result.problem });
    }
  }

  /** Mutes, unmutes, or opens the microphone where there is none yet. */
  async toggleMicrophone(): Promise<void> {
    const { microphone } = this.state;
    if (!this.#link || microphone === 'opening') return;
    if (microphone !== 'open' && microphone !== 'muted') return this.openMicrophone();
    const muted = microphone === 'open';
    await this.#link.setMuted(muted);
    this.#tell({ kind: 'microphone', microphone: muted ? 'muted' : 'open' });
  }

  /** Shows a picture, made small first; throws when it is none or was not sent. */
  async show(file: Blob): Promise<void> {
    const picture = await this.world.shrink(file);
    await this.#link?.show(picture);
  }

  async say(text: string): Promise<void> {
    const trimmed = text.trim();
    if (trimmed) await this.#link?.say(trimmed);
  }

  /** Presses to talk, or lets go, where the agent wants that. One after the other: they must not overtake. */
  press(down: boolean): Promise<void> {
    const { microphone, pressing } = this.state;
    if (down === pressing || (down && microphone !== 'open')) return this.#presses;
    const agent = agentOf(this.state);
    const listener = agent?.byHand ? agent.identity : null;
    if (listener || !down) this.#tell({ kind: 'press', down });
    if (listener) this.#presses = this.#presses.then(() => this.#send(listener, down));
    return this.#presses;
  }

  /** A release that is not taken is sent again: the agent would go on listening. */
  async #send(listener: string, down: boolean): Promise<void> {
    for (let attempt = 0; attempt < (down ? 1 : RELEASES); attempt++) {
      try {
        await this.#link?.press(listener, down);
        return;
      } catch {
        if (down) this.#tell({ kind: 'press', down: false }); // The page must not show that it listens.
      }
    }
  }

  async allowSound(): Promise<void> {
    await this.#link?.allowSound();
  }

  async leave(): Promise<void> {
    await this.#link?.leave();
  }

  #tell(fact: Fact): void {
    this.state = onFact(this.state, fact);
    if (fact.kind === 'closed') {
      clearTimeout(this.#overdue);
      this.#link = null;
    }
    for (const watcher of this.#watchers) watcher();
  }
}

function problemOf(error: unknown): JoinProblem {
  if (error instanceof JoinError) return error.kind;
  if (error instanceof ConnectError && error.kind === 'refused') return 'refused';
  return 'server';
}
