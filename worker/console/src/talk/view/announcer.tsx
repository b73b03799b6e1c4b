import { agentOf, moodOf, type Talk } from '../state';

/** What a screen reader hears: the agent's state, and lines that are complete. */
export function Announcer({ talk }: { talk: Talk }) {
  const agent = agentOf(talk);
  const state = talk.reconnecting ? 'Reconnecting' : agent ? `Agent ${moodOf(talk)}` : '';
  const last = talk.transcript.lines.filter((line) => line.final && line.speaker !== 'me').at(-1);
  return (
    <div class="unseen">
      <p role="status" aria-live="polite">{state}</p>
      <p aria-live="polite">{last ? `${last.name}: ${last.text}` : ''}</p>
    </div>
  );
}
