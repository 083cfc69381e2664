import { Refusal } from '../cli/command.ts';
import { runToEnd, type Finished } from '../program/run.ts';

export const DOCKER = 'docker';

/** Runs the docker client to its end; throws a Refusal only where there is no client to run, or the user wants to stop. */
export async function docker(args: string[], signal?: AbortSignal): Promise<Finished> {
  const finished = await runToEnd(DOCKER, args, signal ? { signal } : {});
  if (signal?.aborted) throw new Refusal('docker: was stopped');
  if (finished.notStarted !== undefined)
    throw new Refusal(`docker: ${withoutClient(finished.notStarted)}, or run without --docker`);
  return finished;
}

function withoutClient(code: string): string {
  if (code === 'ENOENT') return 'not found on PATH; install Docker';
  return `the program on PATH cannot be started (${code}); mend that`;
}

/** What the client printed, without the words that are the same for every failure: the reason is what is left. */
export function reasonOf({ code, stdout, stderr }: Finished): string {
  return reasonIn((stderr.trim() || stdout.trim()).split('\n')) || `exit code ${code}`;
}

/** The same from lines that were read one by one. */
export function reasonIn(lines: readonly string[]): string {
  const said = lines.map((line) =>
    line
      .trim()
      .replace(/^docker: /, '')
      .replace(/^Error response from daemon: /, ''),
  );
  // "See 'docker run --help'." of old clients, "Run 'docker run --help' for more information" of new ones
  return said
    .filter((line) => line !== '' && !/^(See|Run) 'docker .*--help'/.test(line))
    .join('\n')
    .replace(/\.$/, '');
}
