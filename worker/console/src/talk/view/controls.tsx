import { useEffect, useRef } from 'preact/hooks';
import type { Call } from '../call';
import { Leave, Mic, MicOff } from './icons';

export function Controls({ call }: { call: Call }) {
  const { microphone } = call.state;
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus(), []); // the join button is gone: stay on the keyboard's path
  const open = microphone === 'open';
  const label = open ? 'Mute' : microphone === 'muted' ? 'Unmute' : microphone === 'opening' ? 'Opening…' : 'Turn on';
  return (
    <div class="controls">
      <button ref={button} class={open ? 'round' : 'round off'} aria-keyshortcuts="m"
        title={`${label} the microphone (M)`} disabled={microphone === 'insecure'} onClick={() => void call.toggleMicrophone()}>
        {open ? <Mic /> : <MicOff />}<span>{label}</span><kbd>M</kbd>
      </button>
      <button class="round leave" onClick={() => void call.leave()}>
        <Leave /><span>Leave</span>
      </button>
    </div>
  );
}
