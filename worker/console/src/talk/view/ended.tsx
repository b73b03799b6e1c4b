import { useEffect, useRef } from 'preact/hooks';
import type { CloseReason } from '../../lib/room';
import type { Call } from '../call';

const REASONS: Record<CloseReason, { title: string; text: string }> = {
  left: { title: 'You have left', text: 'The microphone is off.' },
  removed: { title: 'You were removed from the room', text: 'Somebody who runs this server ended your visit.' },
  'room-closed': { title: 'The room was closed', text: 'The talk is over for everybody.' },
  replaced: { title: 'You joined elsewhere', text: 'The same person joined this room again, so this tab was disconnected.' },
  lost: { title: 'The connection was lost', text: 'It did not come back in time. The microphone is off.' },
};

export function Ended({ call, reason }: { call: Call; reason: CloseReason }) {
  const again = useRef<HTMLButtonElement>(null);
  useEffect(() => again.current?.focus(), []);
  const { title, text } = REASONS[reason];
  return (
    <div class="ended">
      <h1>{title}</h1>
      <p>{text}</p>
      <button ref={again} class="primary" onClick={() => void call.join('')}>Join again</button>
    </div>
  );
}
