import { BuildError } from '../build/error.ts';
import { ClusterError } from '../cluster/error.ts';
import { DiffError } from '../diff/error.ts';
import { DockerError } from '../docker/error.ts';
import { EnvoyError } from '../envoy/error.ts';
import { ExplainError, InvalidRequest } from '../explain/error.ts';
import { Unreadable } from '../file/read.ts';
import { FileError } from '../file/replaceFile.ts';
import { EmitError } from '../istio/error.ts';
import { KeyError } from '../key/error.ts';
import { KongError } from '../kong/error.ts';
import { InvalidReference, OciError } from '../oci/error.ts';
import { OpenApiError } from '../openapi/error.ts';
import { visibleText } from '../policy/secret.ts';
import { PolicyProblems } from '../policy/yaml/readPolicy.ts';
import { PolicyFileError } from '../policyFile/error.ts';
import { isUsageError, Refusal } from './command.ts';
import { unknownOption } from './help/meant.ts';

/** 1: it cannot be done, and the message says why. 2: wrong usage, with a pointer to `--help`, or a cluster that cannot be asked. */
type ExitCode = 1 | 2;

/** What each error of a library means on the command line; a class stands before the one that it extends. */
const MEANINGS: readonly (readonly [new (...args: never[]) => Error, ExitCode])[] = [
  [Refusal, 1],
  [PolicyProblems, 1],
  [FileError, 1],
  [Unreadable, 1],
  [PolicyFileError, 1],
  [KeyError, 1],
  [DiffError, 1],
  [OpenApiError, 1],
  [KongError, 1],
  [BuildError, 1],
  [EmitError, 1],
  [EnvoyError, 1],
  [ExplainError, 1],
  [InvalidRequest, 2],
  [DockerError, 1],
  [InvalidReference, 2],
  [OciError, 1],
];

export interface Explanation {
  /** All lines to print, each with its line break. */
  readonly text: string;
  readonly code: ExitCode;
}

/**
 * What to print, and the exit code, for an error of the command `name`, whose options are in its `usage`. The one place
 * where errors become words and exit codes.
 */
export function explainFailure(error: unknown, name: string, usage = ''): Explanation {
  // no cluster, no answer: for a script that is another thing than a no
  if (error instanceof ClusterError) return { text: `${visibleText(error.message)}\n`, code: 2 };
  switch (exitCodeOf(error)) {
    case 1:
      return { text: `${visibleText((error as Error).message)}\n`, code: 1 };
    case 2:
      return {
        text: `tollgate ${name}: ${visibleText(misused(error as Error, usage))}; see tollgate ${name} --help\n`,
        code: 2,
      };
    case null:
      return { text: `tollgate ${name}: ${visibleText(unforeseen(error))}\n`, code: 1 };
  }
}

/** Node's message about an unknown option advises how to pass it as an argument, which is not what anybody wants. */
function misused({ message }: Error, usage: string): string {
  const option = /^Unknown option '([^']+)'/.exec(message)?.[1];
  return option === undefined ? message : unknownOption(option, usage);
}

/** Null for an unexpected error. */
export function exitCodeOf(error: unknown): ExitCode | null {
  if (isUsageError(error) || error instanceof ClusterError) return 2;
  return MEANINGS.find(([known]) => error instanceof known)?.[1] ?? null;
}

/**
 * Errors of the system (a full disk, a missing folder) are shown as they are. Anything else is a bug of ours: whoever
 * reports it needs the stack.
 */
function unforeseen(error: unknown): string {
  const { message, stack, code, syscall } = error as NodeJS.ErrnoException;
  if (code !== undefined && syscall !== undefined) return message;
  return `internal error\n${stack ?? String(error)}`;
}
