import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../scripts/file/packageRoot.ts';
import { countOf, readEvents, type Count } from './count.ts';

/** How the result of a suite is determined: from its test runner's events, or only from its exit code. */
export type Runner = 'node' | 'as-pect' | 'exit code';

export interface Suite {
  readonly name: string;
  readonly runner: Runner;
  /** Arguments of the runner: test files, or for an exit code the whole command line after `node`. */
  readonly args: readonly string[];
  /** Test files that run in parallel. */
  readonly concurrency?: number;
  /** Additional environment variables for the suite, or why it cannot run here. */
  readonly prepare?: () => Promise<Record<string, string> | { skip: string }>;
}

const FOLDER = 'harness/suite';

/** Runs a suite, passing its output through; resolves to its result. */
export async function runSuite(suite: Suite, out: (chunk: string | Buffer) => void): Promise<Count> {
  out(`\n== ${suite.name} ==\n`);
  const environment = await prepared(suite);
  if (environment instanceof Error) {
    out(`${environment.message}\n== ${suite.name}: could not be prepared: 0 passed, 1 failed, 0 skipped, 0 s ==\n`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
  if ('skip' in environment) {
    out(`skipped: ${environment.skip}\n`);
    return { passed: 0, failed: 0, skipped: 1 };
  }
  const started = Date.now();
  const scratch = await mkdtemp(join(tmpdir(), 'tollgate-suite-'));
  try {
    const events = join(scratch, 'events');
    const code = await run(commandLine(suite, events), { ...environment, TOLLGATE_TEST_EVENTS: events }, out);
    const whole = { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
    const lines = await readFile(events, 'utf8').catch(() => '');
    const count = suite.runner === 'exit code' ? whole : countOf(readEvents(lines), code);
    const seconds = Math.round((Date.now() - started) / 1000);
    out(
      `== ${suite.name}: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped, ${seconds} s ==\n`,
    );
    return count;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** An error fails this suite only; later suites still run. */
async function prepared({ prepare }: Suite): Promise<Record<string, string> | { skip: string } | Error> {
  try {
    return (await prepare?.()) ?? {};
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function commandLine({ runner, args, concurrency = 1 }: Suite, events: string): string[] {
  if (runner === 'exit code') return [...args];
  if (runner === 'as-pect') return [join('node_modules', '@as-pect', 'cli', 'bin', 'asp.js'), ...args];
  return [
    ...['--import', 'tsx', '--import', `./${FOLDER}/naturalEnd.mjs`, '--test', `--test-concurrency=${concurrency}`],
    ...['--test-reporter=spec', '--test-reporter-destination=stdout'],
    ...[`--test-reporter=./${FOLDER}/nodeEvents.mjs`, `--test-reporter-destination=${events}`],
    ...args,
  ];
}

function run(
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  out: (chunk: Buffer) => void,
): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: packageRoot,
      stdio: ['ignore', 'pipe', 'inherit'],
      // started inside a test, a runner would otherwise take itself for a test file
      env: { ...process.env, ...environment, NODE_NO_WARNINGS: '1', NODE_TEST_CONTEXT: undefined },
    });
    child.stdout.on('data', out);
    const stop = (): void => void child.kill('SIGTERM');
    process.once('SIGINT', stop);
    child.on('close', (code) => {
      process.removeListener('SIGINT', stop);
      resolve(code);
    });
  });
}
