/**
 * Polls until `ask` returns something other than null or false. On a timeout, throws what `ask` threw last, or the complaint.
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
