/** What cannot be compared: a resource that holds no plugin config, or a cluster that cannot be asked. */
export class DiffError extends Error {
  override readonly name = 'DiffError';
}
