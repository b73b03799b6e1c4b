// Adapter: asks the worker for a way into the room. The signed key goes in, a room token comes out.

export interface Admission {
  readonly url: string;
  readonly token: string;
  readonly room: string;
  readonly identity: string;
}

/** Why there is no admission: the key is not good, or the worker could not be reached or answered oddly. */
export class JoinError extends Error {
  constructor(
    readonly kind: 'refused' | 'unreachable',
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
  if (response.status === 401) throw new JoinError('refused', answer.error ?? 'The key is not good.');
  if (!response.ok || !answer.url || !answer.token) {
    throw new JoinError('unreachable', answer.error ?? `The worker answered ${response.status}.`);
  }
  return {
    url: answer.url,
    token: answer.token,
    room: answer.room ?? '',
    identity: answer.identity ?? '',
  };
}
