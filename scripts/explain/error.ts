/** The module or a log cannot be used: the message says why. */
export class ExplainError extends Error {
  override readonly name = 'ExplainError';
}

/** What was asked for is no request, no header or no consumer: wrong usage. The message repeats no value, which may be a key. */
export class InvalidRequest extends Error {
  override readonly name = 'InvalidRequest';
}
