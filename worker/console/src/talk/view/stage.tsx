import { isByHand, moodOf, type Mood, type Talk } from '../state';
import { useLevel } from './use_level';

const MOODS: Record<Mood, { title: string; text: string }> = {
  waiting: { title: 'Waiting for the agent', text: 'It is being called into the room.' },
  preparing: { title: 'Getting ready', text: 'The agent is here and connects to its model.' },
  idle: { title: 'Idle', text: 'The agent is here.' },
  listening: { title: 'Listening', text: 'Go ahead, speak.' },
  thinking: { title: 'Thinking', text: 'One moment.' },
  speaking: { title: 'Speaking', text: 'Interrupt it whenever you like.' },
  gone: { title: 'The agent has left', text: 'Leave and join again to call it back.' },
};

function listeningTo(talk: Talk): string {
  if (talk.microphone !== 'open') return 'Your microphone is off: type, or turn it on.';
  if (!isByHand(talk)) return MOODS.listening.text;
  return talk.pressing ? 'Let go to be answered.' : 'Hold the button or the space bar, and speak.';
}

export function Stage({ talk }: { talk: Talk }) {
  const mood = moodOf(talk);
  const hears = mood === 'listening';
  const orb = useLevel<HTMLDivElement>(hears ? talk.mine : talk.voice, hears && talk.microphone !== 'open');
  const text = hears ? listeningTo(talk) : MOODS[mood].text;
  return (
    <div class="presence" data-mood={mood}>
      <div class="orb" ref={orb} aria-hidden="true">
        <i class="halo" />
        <i class="core"><b /><b /><b /><b /><b /></i>
      </div>
      <div class="mood">
        <h1>{talk.reconnecting ? 'Reconnecting' : MOODS[mood].title}</h1>
        <p>{talk.reconnecting ? 'The connection was interrupted. Hold on.' : text}</p>
      </div>
    </div>
  );
}
