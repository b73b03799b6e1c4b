import { useEffect, useRef } from 'preact/hooks';
import { levelOf } from '../../lib/level';

/** Falls slower than it rises, as meters do: a short word stays visible. Per frame. */
const FALL = 0.06;

/** Keeps `--level` (0 to 1) of an element at a track's loudness. Draws nothing through Preact. */
export function useLevel<E extends HTMLElement>(track: MediaStreamTrack | null, silent = false) {
  const element = useRef<E>(null);
  useEffect(() => {
    const target = element.current;
    if (!target) return undefined;
    show(target, 0);
    if (!track || silent) return undefined;
    const level = levelOf(track);
    let shown = 0;
    let frame = requestAnimationFrame(function draw() {
      shown = Math.max(level.read(), shown - FALL);
      show(target, shown);
      frame = requestAnimationFrame(draw);
    });
    return () => {
      cancelAnimationFrame(frame);
      level.stop();
      show(target, 0);
    };
  }, [track, silent]);
  return element;
}

function show(element: HTMLElement, level: number) {
  element.style.setProperty('--level', level.toFixed(3));
  if (element.getAttribute('role') === 'meter') {
    const percent = String(Math.round(level * 10) * 10);
    if (element.getAttribute('aria-valuenow') !== percent) element.setAttribute('aria-valuenow', percent);
  }
}
