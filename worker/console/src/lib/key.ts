// Core: the signed key of a link. It travels in the fragment, so it never reaches a server's log.
// What is read here is only shown; the worker alone decides whether the key is good.

export interface Key {
  /** As it stands in the link; sent to the worker unchanged. */
  readonly signed: string;
  /** The room it is for, when readable. */
  readonly room: string | null;
  /** When it stops being good, in seconds since 1970, when readable. */
  readonly expires: number | null;
}

export function keyFromFragment(fragment: string): Key | null {
  const signed = new URLSearchParams(fragment.replace(/^#/, '')).get('key');
  if (!signed) return null;
  const claims = claimsOf(signed);
  return {
    signed,
    room: typeof claims['room'] === 'string' ? claims['room'] : null,
    expires: typeof claims['exp'] === 'number' ? claims['exp'] : null,
  };
}

/** `now` in seconds since 1970. An unreadable expiry counts as good: the worker will tell. */
export function isExpired(key: Key, now: number): boolean {
  return key.expires !== null && key.expires <= now;
}

function claimsOf(jwt: string): Record<string, unknown> {
  const body = jwt.split('.')[1];
  if (!body) return {};
  try {
    const binary = atob(body.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
