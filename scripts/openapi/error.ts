/** A document that cannot be imported: it cannot be read, or is not what it should be. */
export class OpenApiError extends Error {
  override readonly name = 'OpenApiError';
}
