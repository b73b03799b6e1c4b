// Where the time of an answer went, as the agent tells it in `agent.latency`: milliseconds by stage. Pure.

export interface Latency {
  readonly total: number; // ms
  /** In order of time; what took nothing is left out. */
  readonly parts: readonly Part[];
}

export interface Part {
  readonly stage: Stage;
  readonly took: number; // ms
}

const STAGES = ['endpointing', 'request', 'model', 'tools', 'voice'] as const;
export type Stage = (typeof STAGES)[number];

/** Less than this is not worth a place in a picture. */
const SMALL = 5; // ms

/** What the attribute says, or null when it is missing or says nothing. */
export function latencyOf(attribute: string | undefined): Latency | null {
  const told = parse(attribute ?? '');
  const total = millis(told['total']);
  if (!total) return null;
  const parts = STAGES.map((stage) => ({ stage, took: millis(told[stage]) }));
  return { total, parts: parts.filter((part) => part.took >= SMALL) };
}

const millis = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0;

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
