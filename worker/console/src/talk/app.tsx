import { useEffect, useReducer } from 'preact/hooks';
import type { Call } from './call';
import { Announcer } from './view/announcer';
import { Controls } from './view/controls';
import { Mark } from './view/icons';
import { Notices } from './view/notices';
import { People } from './view/people';
import { Stage } from './view/stage';
import { Start } from './view/start';
import { TranscriptPane } from './view/transcript';
import { Ended } from './view/ended';
import { Waited } from './view/waited';
import { isByHand, isSimulated } from './state';

export function App({ call }: { call: Call }) {
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  useEffect(() => call.watch(() => redraw(undefined)), [call]);
  useMuteKey(call);
  useTalkKey(call);

  const { phase } = call.state;
  if (phase.kind === 'start' || phase.kind === 'joining') return <Start call={call} />;
  return (
    <div class="talk">
      <header class="bar">
        <span class="brand">
          <Mark /> room-agent
        </span>
        {call.state.room && <span class="room" title="Room">{call.state.room}</span>}
        {isSimulated(call.state) && (
          <span class="chip" title="No provider is asked: a simulated model repeats what it hears">
            simulated model
          </span>
        )}
      </header>
      <main class="panes">
        <section class="stage" aria-label="Agent">
          {phase.kind === 'ended' ? (
            <Ended call={call} reason={phase.reason} />
          ) : (
            <>
              <Stage talk={call.state} />
              <People talk={call.state} />
              <Waited talk={call.state} />
              <Notices call={call} />
              <Controls call={call} />
            </>
          )}
        </section>
        <TranscriptPane call={call} />
      </main>
      <Announcer talk={call.state} />
    </div>
  );
}

/** The space bar presses to talk, except while typing. It must not click the button that has the focus. */
function useTalkKey(call: Call) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.code !== 'Space') return;
      const isDown = event.type === 'keydown';
      if (!isDown) void call.press(false); // wherever it was pressed
      if (isTyping(event.target) || !isByHand(call.state)) return;
      event.preventDefault();
      if (isDown && !event.repeat) void call.press(true);
    };
    const letGo = () => void call.press(false);
    window.addEventListener('keydown', onKey);
    window.addEventListener('keyup', onKey);
    window.addEventListener('blur', letGo);
    return () => {
      window.removeEventListener('keydown', onKey);
      window.removeEventListener('keyup', onKey);
      window.removeEventListener('blur', letGo);
    };
  }, [call]);
}

/** M mutes and unmutes, except while typing. */
function useMuteKey(call: Call) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'm' || event.repeat) return;
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      void call.toggleMicrophone();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [call]);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.matches('input, textarea, select') || target.isContentEditable);
}
