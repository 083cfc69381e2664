import { type Finished, runToEnd } from '../program/run.ts';

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

/** kubectl of the PATH, with the user's kubeconfig. */
export function kubectl({ context, signal, timeoutSeconds = TIMEOUT_SECONDS }: KubectlOptions): Kubectl {
  const always = [`--request-timeout=${timeoutSeconds}s`, ...(context === undefined ? [] : [`--context=${context}`])];
  return (args) => runToEnd('kubectl', [...args, ...always], { signal, mostCharacters: MOST_CHARACTERS });
}
