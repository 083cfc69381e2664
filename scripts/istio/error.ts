/** What cannot be emitted, or not to that folder. The message is one sentence and names the resource, option or file. */
export class EmitError extends Error {
  override readonly name = 'EmitError';
}
