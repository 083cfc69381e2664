/**
 * Streams of this VM whose end matters to somebody: requests that wait, requests in flight that are counted, and those whose answers settle
 * what they cost. One number for all, so that the end of any other stream costs one look.
 */
export let expected: i32 = 0;

export function expectEnd(): void {
  expected++;
}

export function forgetEnd(): void {
  expected--;
}
