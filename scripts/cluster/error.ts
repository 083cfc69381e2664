/** The cluster cannot be asked at all: no kubectl, no such context, no answer, not logged in. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
}

/** One thing that could not be looked at, while others could; the message says why, as in `may not list pods`. */
export class Unseen extends Error {
  override readonly name = 'Unseen';

  constructor(
    message: string,
    /** The user has no right to it; asking again is of no use. */
    readonly isForbidden: boolean = false,
  ) {
    super(message);
  }
}
