import type { Person } from '../../lib/room';
import type { Talk } from '../state';
import { useLevel } from './use_level';

/** Who is in the room, whose microphone is off, and how loud we two are. */
export function People({ talk }: { talk: Talk }) {
  const sorted = [...talk.people].sort((a, b) => rank(a) - rank(b) || a.joined - b.joined);
  return (
    <ul class="people" aria-label="In the room">
      {sorted.map((person) => (
        <Row key={person.identity} person={person} talk={talk} />
      ))}
    </ul>
  );
}

const rank = (person: Person) => ({ me: 0, agent: 1, person: 2 })[person.role];

function Row({ person, talk }: { person: Person; talk: Talk }) {
  const mine = person.role === 'me';
  const label = mine ? 'You' : person.role === 'agent' ? 'Agent' : person.name;
  const silent = mine ? talk.microphone !== 'open' : person.role === 'person' && person.muted;
  const note = silent ? 'microphone off' : '';
  return (
    <li>
      <span class="who"><span class="cut">{label}</span>{note && <small>{note}</small>}</span>
      {mine && <Meter label="Your level" track={talk.mine} silent={silent} />}
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
