/** A string that no caller could ever send as a key. The message never repeats it. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
}
