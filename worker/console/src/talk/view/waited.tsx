import type { Latency, Stage } from '../../lib/latency';
import { agentOf, type Talk } from '../state';

const NAMES: Record<Stage, string> = {
  endpointing: 'sure that you were done',
  request: 'asking',
  model: 'thinking',
  tools: 'using tools',
  voice: 'sending',
};

/** How long the last answer let one wait, and for what. */
export function Waited({ talk }: { talk: Talk }) {
  const latency = agentOf(talk)?.latency;
  return latency ? <Bar latency={latency} /> : null;
}

function Bar({ latency }: { latency: Latency }) {
  return (
    <figure class="waited">
      <figcaption>Last answer after <strong>{(latency.total / 1000).toFixed(2)} s</strong></figcaption>
      <div class="parts" aria-hidden="true">
        {latency.parts.map(({ stage, took }) => <i key={stage} data-stage={stage} style={{ flexGrow: took }} />)}
      </div>
      <ul>
        {latency.parts.map(({ stage, took }) => (
          <li key={stage} data-stage={stage}>{NAMES[stage]} {Math.round(took)} ms</li>
        ))}
      </ul>
    </figure>
  );
}
