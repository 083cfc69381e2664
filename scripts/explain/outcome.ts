import type { Exchange } from '../host/openRequest.ts';

/** What becomes of a request: it reaches an upstream, the policy answers in an upstream's place, or it is refused. */
export type Outcome = 'allowed' | 'answered' | 'refused';

/** Reasons with which the module answers what was asked, whatever the status says: a mock may have any. */
const ANSWERS = new Set(['preflight_answered', 'redirected', 'mocked', 'me_answered']);

/** With `isObserved` the reason is that of a refusal that was not in force. */
export function outcomeOf({ upstream }: Pick<Exchange, 'upstream'>, reason: string, isObserved: boolean): Outcome {
  if (upstream !== null) return 'allowed';
  return isObserved || ANSWERS.has(reason) ? 'answered' : 'refused';
}
