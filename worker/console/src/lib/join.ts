// Adapter: asks the worker for a way into the room. The signed key goes in, a room token comes out.

export interface Admission {
  readonly url: string;
  readonly token: string;
  readonly room: string;
  readonly identity: string;
}

/**
 * Why there is no admission: the key is not good, too many tries, the worker cannot reach the LiveKit
 * server, or the worker could not be reached or answered oddly.
 */
export class JoinError extends Error {
  constructor(
    readonly kind: 'refused' | 'busy' | 'server' | 'unreachable',
    message: string,
  ) {
    super(message);
  }
}

export async function join(key: string, name: string): Promise<Admission> {
  const body = name ? { key, name } : { key };
  let response: Response;
  try {
    response = await fetch('./api/join', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  } catch {
    throw new JoinError('unreachable', 'The worker does not answer.');
  }
  const answer = (await response.json().catch(() => ({}))) as Partial<Admission> & { error?: string };
  if (!response.ok || !answer.url || !answer.token) {
    throw new JoinError(kindOf(response.status), answer.error ?? `The worker answered ${response.status}.`);
  }
  return {
    url: answer.url,
    token: answer.token,
    room: answer.room ?? '',
    identity: answer.identity ?? '',
  };
}

function kindOf(status: number): JoinError['kind'] {
  switch (status) {
    case 401:
      return 'refused';
    case 429:
      return 'busy';
    case 502:
      return 'server';
    default:
      return 'unreachable';
  }
}
