import { useState } from 'preact/hooks';
import type { Call } from '../call';
import type { JoinProblem } from '../state';
import { Mark, Mic, Warn } from './icons';

const PROBLEMS: Record<JoinProblem, { title: string; text: string }> = {
  missing: {
    title: 'This address has no key',
    text: 'Open the whole link you were given: the part after “#key=” lets you in. “room-agent invite” prints a new one.',
  },
  expired: {
    title: 'This link has expired',
    text: 'Ask for a new one: “room-agent invite” prints it.',
  },
  refused: {
    title: 'This link is not accepted',
    text: 'Its key is wrong, expired, or was made for another server. Ask for a new link.',
  },
  busy: {
    title: 'Too many tries',
    text: 'Wait a minute, then try again.',
  },
  unreachable: {
    title: 'The worker does not answer',
    text: 'It may be stopped or starting. Try again in a moment.',
  },
  server: {
    title: 'The room cannot be reached',
    text: 'The LiveKit server does not answer. Check the network, then try again.',
  },
};

export function Start({ call }: { call: Call }) {
  const [name, setName] = useState('');
  const { phase, room } = call.state;
  const joining = phase.kind === 'joining';
  const problem = phase.kind === 'start' ? phase.problem : null;
  const hopeless = problem === 'missing' || problem === 'expired';

  return (
    <main class="start">
      <div class="card">
        <span class="brand"><Mark /> room-agent</span>
        <h1>Talk with the agent</h1>
        <p class="lead">Speak as you would on the phone. Interrupt it whenever you like: it stops and listens.</p>
        {problem && (
          <div class="notice warn" role="alert">
            <Warn />
            <div><strong>{PROBLEMS[problem].title}</strong><p>{PROBLEMS[problem].text}</p></div>
          </div>
        )}
        <form onSubmit={(event) => { event.preventDefault(); void call.join(name); }}>
          <label for="name">Your name <span class="quiet">(optional)</span></label>
          <input id="name" name="name" autocomplete="name" maxLength={60} value={name} disabled={joining || hopeless}
            onInput={(event) => setName(event.currentTarget.value)} />
          <button type="submit" class="primary" disabled={joining || hopeless} aria-busy={joining}>
            {joining ? <><span class="spinner" /> Joining…</> : <><Mic /> <span class="cut">Join{room && ` “${room}”`}</span></>}
          </button>
        </form>
        <p class="small" role="status">
          {joining ? 'Connecting to the room.' : 'Your browser will ask for the microphone. Until several people are supported, the agent hears the first person who joins.'}
        </p>
      </div>
    </main>
  );
}
