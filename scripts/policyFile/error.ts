/**
 * A change of a policy file that is refused: it names something that the policy does not have, or cannot be written
 * safely. The file is as it was.
 */
export class PolicyFileError extends Error {
  override readonly name = 'PolicyFileError';
}
