import { useEffect, useRef, useState } from 'preact/hooks';
import type { Line } from '../../lib/transcript';
import type { Call } from '../call';
import { Send } from './icons';

export function TranscriptPane({ call }: { call: Call }) {
  const { transcript, phase } = call.state;
  const lines = transcript.lines.filter((line) => line.text !== '');
  const list = useFollow(lines);
  return (
    <section class="transcript" aria-labelledby="transcript-title">
      <h2 id="transcript-title">Transcript</h2>
      <div class="lines" ref={list} tabIndex={0} role="group" aria-labelledby="transcript-title">
        {lines.length === 0 && <p class="empty">What you and the agent say appears here.</p>}
        <ol>{lines.map((line) => <Row key={line.id} line={line} />)}</ol>
      </div>
      {phase.kind === 'talking' && <Composer call={call} />}
    </section>
  );
}

function Row({ line }: { line: Line }) {
  const who = line.speaker === 'me' ? 'You' : line.speaker === 'agent' ? 'Agent' : line.name;
  return (
    <li class={`line ${line.speaker}`} data-final={line.final}>
      <span class="by">{who}{line.typed && <span class="quiet"> · typed</span>}</span>
      <p>{line.text}</p>
    </li>
  );
}

function Composer({ call }: { call: Call }) {
  const [text, setText] = useState('');
  const [failed, setFailed] = useState(false);
  const send = async () => {
    if (!text.trim()) return;
    try {
      await call.say(text);
      setText('');
      setFailed(false);
    } catch {
      setFailed(true); // the text stays, so that nothing is lost
    }
  };
  return (
    <form class="composer" onSubmit={(event) => { event.preventDefault(); void send(); }}>
      <label class="unseen" for="say">Type to the agent</label>
      <input id="say" autocomplete="off" maxLength={2000} placeholder="Type to the agent" value={text}
        aria-invalid={failed} onInput={(event) => setText(event.currentTarget.value)} />
      <button type="submit" class="send" aria-label="Send" disabled={!text.trim()}><Send /></button>
      {failed && <p class="failed" role="alert">Not sent. Try again.</p>}
    </form>
  );
}

/** Follows the newest line, unless the reader has scrolled up. */
function useFollow(lines: readonly Line[]) {
  const list = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const element = list.current;
    if (!element) return undefined;
    const onScroll = () => {
      atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 48;
    };
    element.addEventListener('scroll', onScroll, { passive: true });
    return () => element.removeEventListener('scroll', onScroll);
  }, []);
  useEffect(() => {
    const element = list.current;
    if (element && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [lines]);
  return list;
}
