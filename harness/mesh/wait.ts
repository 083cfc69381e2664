/**
 * Asks again and again until `ask` gives something other than null or false; throws what it last threw, or the complaint,
 * when that does not come in time.
 */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T | null | false> | T | null | false,
  timeoutMs = 15_000,
  pauseMs = 25,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: Error | null = null;
  for (;;) {
    try {
      const value = await ask();
      if (value !== null && value !== false) return value;
      last = null;
    } catch (error) {
      last = error as Error;
    }
    if (Date.now() > deadline)
      throw new Error(`${what}: not within ${timeoutMs} ms${last === null ? '' : `; ${last.message}`}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
