import { expect, test } from 'vitest';
import { isExpired, keyFromFragment } from './key';

function jwt(claims: object): string {
  const encode = (value: object) =>
    btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(value))))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replaceAll('=', '');
  return `${encode({ alg: 'HS256' })}.${encode(claims)}.signature`;
}

test('a link without a key has none', () => {
  expect(keyFromFragment('')).toBeNull();
  expect(keyFromFragment('#')).toBeNull();
  expect(keyFromFragment('#key=')).toBeNull();
  expect(keyFromFragment('#other=1')).toBeNull();
});

test('room and expiry are read from the key', () => {
  const signed = jwt({ room: 'grüße-1', exp: 1000 });
  expect(keyFromFragment(`#key=${signed}`)).toEqual({ signed, room: 'grüße-1', expires: 1000 });
});

test('a key that cannot be read is still passed on', () => {
  expect(keyFromFragment('#key=abc')).toEqual({ signed: 'abc', room: null, expires: null });
  expect(keyFromFragment('#key=a.%25%25.c')?.signed).toBe('a.%%.c');
});

test('a key is expired from its last second on', () => {
  const key = keyFromFragment(`#key=${jwt({ exp: 1000 })}`)!;
  expect(isExpired(key, 999)).toBe(false);
  expect(isExpired(key, 1000)).toBe(true);
  expect(isExpired({ ...key, expires: null }, 5000)).toBe(false);
});
