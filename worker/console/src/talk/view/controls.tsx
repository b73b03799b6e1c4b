import { useEffect, useRef } from 'preact/hooks';
import type { Call } from '../call';
import { isByHand } from '../state';
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
      {isByHand(call.state) && <TalkButton call={call} />}
      <button class="round leave" onClick={() => void call.leave()}>
        <Leave /><span>Leave</span>
      </button>
    </div>
  );
}

/** Held like a radio's key: heard while it is down, answered when it is let go. */
function TalkButton({ call }: { call: Call }) {
  const { microphone, pressing } = call.state;
  const letGo = () => void call.press(false);
  return (
    <button class={pressing ? 'round hold held' : 'round hold'} aria-pressed={pressing} aria-keyshortcuts="Space"
      title="Hold to talk (Space)" disabled={microphone !== 'open'} onPointerDown={() => void call.press(true)} onPointerUp={letGo}
      onPointerLeave={letGo} onPointerCancel={letGo}>
      <Mic /><span>{pressing ? 'You are heard' : 'Hold to talk'}</span><kbd>Space</kbd>
    </button>
  );
}
