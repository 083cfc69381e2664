import { type Finished, runToEnd } from '../program/run.ts';
import { ClusterError } from './error.ts';

/** Runs kubectl with some arguments. */
export type Kubectl = (args: readonly string[]) => Promise<Finished>;

export interface KubectlOptions {
  /** The kubeconfig's context; undefined: the current one. */
  readonly context: string | undefined;
  readonly signal: AbortSignal;
  /** How long one request may take. */
  readonly timeoutSeconds?: number;
}

/** More than any list of a cluster that people work with. */
const MOST_CHARACTERS = 256 * 1024 * 1024;
const TIMEOUT_SECONDS = 30;
/** kubectl counts its own time only from when it has credentials, and what makes these can hang. */
const MORE_SECONDS = 5;

/** kubectl of the PATH, with the user's kubeconfig. Rejects with a ClusterError when it is told to stop. */
export function kubectl({ context, signal, timeoutSeconds = TIMEOUT_SECONDS }: KubectlOptions): Kubectl {
  const always = [`--request-timeout=${timeoutSeconds}s`, ...(context === undefined ? [] : [`--context=${context}`])];
  return async (args) => {
    const late = AbortSignal.timeout((timeoutSeconds + MORE_SECONDS) * 1000);
    const finished = await runToEnd('kubectl', [...args, ...always], {
      signal: AbortSignal.any([signal, late]),
      mostCharacters: MOST_CHARACTERS,
    });
    if (signal.aborted) throw new ClusterError('stopped');
    if (finished.code !== null || finished.notStarted !== undefined) return finished;
    const isMuch = finished.stdout.length > MOST_CHARACTERS;
    const why = isMuch ? 'the answer is too long' : late.aborted ? `no answer within ${timeoutSeconds} s` : 'was ended';
    return { ...finished, stderr: why };
  };
}
