import { expect, test } from 'vitest';
import { EMPTY, MAX_LINES, onText, type Speaker, type TextFact, type Transcript } from './transcript';

const open = (stream: string, segment: string | null, speaker: Speaker = 'agent'): TextFact => ({
  kind: 'open', stream, segment, speaker, name: speaker, typed: false,
});
const delta = (stream: string, text: string): TextFact => ({ kind: 'delta', stream, text });
const close = (stream: string, final = true): TextFact => ({ kind: 'close', stream, final });

function after(...facts: TextFact[]): Transcript {
  return facts.reduce(onText, EMPTY);
}

test("the agent's deltas are appended", () => {
  const { lines } = after(open('s1', 'SG_1'), delta('s1', 'You '), delta('s1', 'said'), close('s1'));
  expect(lines).toEqual([
    { id: 'SG_1', speaker: 'agent', name: 'agent', text: 'You said', final: true, typed: false },
  ]);
});

test('a newer interim of a person replaces the one before', () => {
  const { lines } = after(
    open('a', 'SG_1', 'me'), delta('a', 'I wa'), close('a', false),
    open('b', 'SG_1', 'me'), delta('b', 'I want to'), close('b', false),
    open('c', 'SG_1', 'me'), delta('c', 'I want to go.'), close('c', true),
  );
  expect(lines.map((line) => [line.text, line.final])).toEqual([['I want to go.', true]]);
});

test('the old text stays until the newer stream brings its own', () => {
  const { lines } = after(open('a', 'SG_1', 'me'), delta('a', 'I wa'), open('b', 'SG_1', 'me'));
  expect(lines[0]?.text).toBe('I wa');
});

test('a stream that was overtaken writes no more', () => {
  const { lines } = after(
    open('a', 'SG_1', 'me'), open('b', 'SG_1', 'me'), delta('b', 'new'), delta('a', 'old'), close('a', true),
  );
  expect(lines.map((line) => [line.text, line.final])).toEqual([['new', false]]);
});

test('an interim that comes after the final one is ignored', () => {
  const { lines } = after(
    open('a', 'SG_1', 'me'), delta('a', 'done.'), close('a', true),
    open('b', 'SG_1', 'me'), delta('b', 'do'), close('b', false),
  );
  expect(lines.map((line) => [line.text, line.final])).toEqual([['done.', true]]);
});

test("the agent's text can be cut to what was heard after it was final", () => {
  const { lines } = after(
    open('a', 'SG_1'), delta('a', 'Once upon a time'), close('a', true),
    open('b', 'SG_1'), delta('b', 'Once upon'), close('b', true),
  );
  expect(lines[0]?.text).toBe('Once upon');
});

test('two speakers at once keep their own lines, in the order they began', () => {
  const { lines } = after(
    open('a', 'SG_1', 'agent'), open('b', 'SG_2', 'me'), delta('b', 'stop'), delta('a', 'and then'),
  );
  expect(lines.map((line) => [line.speaker, line.text])).toEqual([['agent', 'and then'], ['me', 'stop']]);
});

test('a stream without a segment is a line of its own', () => {
  const { lines } = after(open('x', null, 'other'), delta('x', 'hi'), open('y', null, 'other'), delta('y', 'ho'));
  expect(lines.map((line) => line.text)).toEqual(['hi', 'ho']);
});

test('a long talk keeps its last lines', () => {
  let transcript = EMPTY;
  for (let n = 0; n < MAX_LINES + 7; n++) {
    transcript = onText(onText(transcript, open(`s${n}`, null)), delta(`s${n}`, `${n}`));
    transcript = onText(transcript, close(`s${n}`));
  }
  expect(transcript.lines).toHaveLength(MAX_LINES);
  expect(transcript.lines[0]?.text).toBe('7');
  expect(transcript.open.size).toBe(0);
});
