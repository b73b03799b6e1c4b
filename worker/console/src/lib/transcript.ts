// Core: what was said and typed, as lines. Text streams come in, lines come out.
// One rule serves both kinds of speaker: inside one stream text is appended (the agent's deltas), and
// a newer stream of the same segment replaces what was there (a person's interims, the agent's cut).
// It knows no clock and no room.

export type Speaker = 'me' | 'agent' | 'other';

export interface Line {
  /** The segment's id, or the stream's where no segment is named. */
  readonly id: string;
  readonly speaker: Speaker;
  readonly name: string;
  readonly text: string;
  /** Will not change any more. */
  readonly final: boolean;
  readonly typed: boolean;
}

export type TextFact =
  | { kind: 'open'; stream: string; segment: string | null; speaker: Speaker; name: string; typed: boolean }
  | { kind: 'delta'; stream: string; text: string }
  | { kind: 'close'; stream: string; final: boolean };

export interface Transcript {
  readonly lines: readonly Line[];
  /** Streams that are open: which line they write, and whether they already replaced its text. */
  readonly open: ReadonlyMap<string, { line: string; wrote: boolean }>;
  /** Per line the stream that owns it: the newest one. Older ones write no more. */
  readonly owner: ReadonlyMap<string, string>;
}

export const EMPTY: Transcript = { lines: [], open: new Map(), owner: new Map() };

/** A long talk keeps its last lines; older ones leave the page. */
export const MAX_LINES = 500;

export function onText(transcript: Transcript, fact: TextFact): Transcript {
  switch (fact.kind) {
    case 'open':
      return onOpen(transcript, fact);
    case 'delta':
      return onDelta(transcript, fact.stream, fact.text);
    case 'close':
      return onClose(transcript, fact.stream, fact.final);
  }
}

function onOpen(transcript: Transcript, fact: Extract<TextFact, { kind: 'open' }>): Transcript {
  const id = fact.segment ?? fact.stream;
  const known = transcript.lines.find((line) => line.id === id);
  if (known?.final && known.speaker !== 'agent') return transcript; // a late interim
  const open = new Map(transcript.open).set(fact.stream, { line: id, wrote: false });
  const owner = new Map(transcript.owner).set(id, fact.stream);
  if (known) return { ...transcript, open, owner };
  const { speaker, name, typed } = fact;
  const lines = [...transcript.lines, { id, speaker, name, text: '', final: false, typed }];
  const oldest = lines.length > MAX_LINES ? lines.shift() : undefined;
  if (oldest) owner.delete(oldest.id);
  return { lines, open, owner };
}

function onDelta(transcript: Transcript, stream: string, text: string): Transcript {
  const writer = transcript.open.get(stream);
  if (!writer || transcript.owner.get(writer.line) !== stream) return transcript;
  const open = new Map(transcript.open).set(stream, { ...writer, wrote: true });
  const lines = change(transcript.lines, writer.line, (line) => ({
    ...line,
    text: writer.wrote ? line.text + text : text,
  }));
  return { ...transcript, lines, open };
}

function onClose(transcript: Transcript, stream: string, final: boolean): Transcript {
  const writer = transcript.open.get(stream);
  if (!writer) return transcript;
  const open = new Map(transcript.open);
  open.delete(stream);
  const isOwner = transcript.owner.get(writer.line) === stream;
  if (!isOwner || !final) return { ...transcript, open };
  const lines = change(transcript.lines, writer.line, (line) => ({ ...line, final: true }));
  return { ...transcript, lines, open };
}

function change(lines: readonly Line[], id: string, edit: (line: Line) => Line): readonly Line[] {
  return lines.map((line) => (line.id === id ? edit(line) : line));
}
