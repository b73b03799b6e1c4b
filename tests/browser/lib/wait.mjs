// The only waiting function: a condition and a deadline, and it says what it waited for.

/** @template T @param {string} what @param {() => Promise<T> | T} condition @param {number} [seconds] @returns {Promise<NonNullable<T>>} */
export async function until(what, condition, seconds = 15) {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
