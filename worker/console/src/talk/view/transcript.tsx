import { useEffect, useRef, useState } from 'preact/hooks';
import { PictureError } from '../../lib/picture';
import type { Line } from '../../lib/transcript';
import type { Call } from '../call';
import { Picture, Send } from './icons';

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
  const [failed, setFailed] = useState<string | null>(null);
  const send = async () => {
    if (!text.trim()) return;
    try {
      await call.say(text);
      setText('');
      setFailed(null);
    } catch {
      setFailed('Not sent. Try again.'); // the text stays, so that nothing is lost
    }
  };
  const show = async (file: File | undefined) => {
    if (!file) return;
    try {
      await call.show(file);
      setFailed(null);
    } catch (error) {
      setFailed(error instanceof PictureError ? 'This picture cannot be read.' : 'Not shown. Try again.');
    }
  };
  return (
    <form class="composer" onSubmit={(event) => { event.preventDefault(); void send(); }}>
      <label class="unseen" for="say">Type to the agent</label>
      <input id="say" autocomplete="off" maxLength={2000} placeholder="Type to the agent" value={text}
        aria-invalid={failed !== null} onInput={(event) => setText(event.currentTarget.value)} />
      <button type="submit" class="send" aria-label="Send" disabled={!text.trim()}><Send /></button>
      <ShowPicture onPick={(file) => void show(file)} />
      {failed !== null && <p class="failed" role="alert">{failed}</p>}
    </form>
  );
}

/** A button that opens the file dialog, or the camera of a phone. The agent sees the picture and waits for words. */
function ShowPicture({ onPick }: { onPick: (file: File | undefined) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input ref={input} type="file" accept="image/*" class="unseen" tabIndex={-1} aria-label="Picture for the agent"
        onChange={(event) => { onPick(event.currentTarget.files?.[0]); event.currentTarget.value = ''; }} />
      <button type="button" class="send plain" aria-label="Show a picture" title="Show the agent a picture, then ask about it"
        onClick={() => input.current?.click()}><Picture /></button>
    </>
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
