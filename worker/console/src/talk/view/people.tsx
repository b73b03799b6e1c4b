import type { Person } from '../../lib/room';
import { heardOf, type Talk } from '../state';
import { useLevel } from './use_level';

/** Who is in the room, who is heard by the agent, and how loud we two are. */
export function People({ talk }: { talk: Talk }) {
  const heard = heardOf(talk);
  const sorted = [...talk.people].sort((a, b) => rank(a) - rank(b) || a.joined - b.joined);
  return (
    <ul class="people" aria-label="In the room">
      {sorted.map((person) => (
        <Row key={person.identity} person={person} talk={talk} heard={person.identity === heard?.identity} alone={sorted.filter((p) => p.role !== 'agent').length < 2} />
      ))}
    </ul>
  );
}

const rank = (person: Person) => ({ me: 0, agent: 1, person: 2 })[person.role];

function Row({ person, talk, heard, alone }: { person: Person; talk: Talk; heard: boolean; alone: boolean }) {
  const mine = person.role === 'me';
  const label = mine ? 'You' : person.role === 'agent' ? 'Agent' : person.name;
  const note = mine
    ? talk.microphone === 'open' ? (heard ? (alone ? '' : 'heard by the agent') : 'not heard by the agent') : 'microphone off'
    : person.role === 'agent' ? '' : heard ? 'heard by the agent' : 'not heard by the agent';
  return (
    <li>
      <span class="who"><span class="cut">{label}</span>{note && <small>{note}</small>}</span>
      {mine && <Meter label="Your level" track={talk.mine} silent={talk.microphone !== 'open'} />}
      {person.role === 'agent' && <Meter label="Agent’s level" track={talk.voice} silent={false} />}
    </li>
  );
}

function Meter({ label, track, silent }: { label: string; track: MediaStreamTrack | null; silent: boolean }) {
  const meter = useLevel<HTMLSpanElement>(track, silent);
  return (
    <span class="meter" ref={meter} role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={0}>
      <i />
    </span>
  );
}
