/** A document that cannot be imported: it cannot be read, or is not what it should be. */
export class KongError extends Error {
  override readonly name = 'KongError';
}
