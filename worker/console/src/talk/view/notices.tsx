import type { ComponentChildren } from 'preact';
import type { Call } from '../call';
import { isGuest, type Microphone } from '../state';
import { Info, Sound, Warn } from './icons';

const MICROPHONE: Partial<Record<Microphone, { title: string; text: string }>> = {
  refused: {
    title: 'The microphone is blocked',
    text: 'Click the icon left of the address, allow the microphone for this page, then try again. Until then you can listen and type.',
  },
  missing: {
    title: 'No microphone was found',
    text: 'Plug one in, then try again. Until then you can listen and type.',
  },
  busy: {
    title: 'The microphone is in use',
    text: 'Another program holds it. Close that program, then try again. You can listen and type.',
  },
  insecure: {
    title: 'This browser gives no microphone here',
    text: 'Browsers allow it only on https or on localhost. You can listen and type.',
  },
  broken: {
    title: 'The microphone could not be opened',
    text: 'Check it in the settings of your system, then try again. You can listen and type.',
  },
  lost: {
    title: 'The microphone was disconnected',
    text: 'Plug it in again or choose another one, then try again.',
  },
};

/** What a person should know and can do something about; the most urgent first. */
export function Notices({ call }: { call: Call }) {
  const talk = call.state;
  const microphone = MICROPHONE[talk.microphone];
  return (
    <div class="notices">
      {microphone && (
        <Notice warn title={microphone.title} text={microphone.text}>
          {talk.microphone !== 'insecure' && <button onClick={() => void call.openMicrophone()}>Try again</button>}
        </Notice>
      )}
      {talk.soundBlocked && (
        <Notice warn icon={<Sound />} title="Sound is off" text="The browser waits for a click before it plays the agent.">
          <button onClick={() => void call.allowSound()}>Turn sound on</button>
        </Notice>
      )}
      {talk.agentOverdue && (
        <Notice warn title="No agent has come yet" text="The room is open and you are in it.">
          <a class="button" href="./no-agent.html" target="_blank" rel="noreferrer">Why is my agent not coming?</a>
        </Notice>
      )}
      {!talk.echoCancelled && talk.microphone === 'open' && (
        <Notice warn title="Echo cancellation is off" text="Use headphones: else the agent hears itself and interrupts itself." />
      )}
      {isGuest(talk) && talk.microphone === 'closed' && (
        <Notice title="A conversation is going on" text="You came in muted, so that nobody is disturbed. The agent hears everybody whose microphone is on." />
      )}
    </div>
  );
}

interface NoticeProps {
  title: string;
  text: string;
  warn?: boolean;
  icon?: ComponentChildren;
  children?: ComponentChildren;
}

function Notice({ title, text, warn, icon, children }: NoticeProps) {
  return (
    <div class={warn ? 'notice warn' : 'notice'} role={warn ? 'alert' : 'note'}>
      {icon ?? (warn ? <Warn /> : <Info />)}
      <div><strong>{title}</strong><p>{text}</p>{children}</div>
    </div>
  );
}
