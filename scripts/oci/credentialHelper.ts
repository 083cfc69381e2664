import { spawn } from 'node:child_process';
import { z } from 'zod';
import { Refusal } from '../cli/command.ts';

const answer = z.object({ Username: z.string(), Secret: z.string() });

/** What every helper says when it has nothing; it is no error. */
const NOT_FOUND = /credentials not found/i;
const TIMEOUT_MS = 30_000;
/** After its end: what it started may hold its output open for ever. */
const OUTPUT_MS = 1000;
const MAX_OUTPUT_BYTES = 256 * 1024;

/** Asks `docker-credential-NAME get`; null when it has no credentials for the registry. */
export async function askHelper(
  name: string,
  server: string,
  signal: AbortSignal,
): Promise<{ username: string; secret: string } | null> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name))
    throw new Refusal(`docker's config.json names a credential helper "${name}"; that is not a name of a program`);
  const program = `docker-credential-${name}`;
  const { code, stdout, missing } = await run(program, server, signal);
  if (missing)
    throw new Refusal(
      `${program}: not on PATH, but docker's config.json names it; install it, or use --username and --password-stdin`,
    );
  if (code !== 0) {
    if (NOT_FOUND.test(stdout)) return null;
    // nothing that it printed is repeated: it is a program about secrets
    throw new Refusal(`${program}: has failed (exit code ${code}) for ${server}`);
  }
  return read(program, stdout);
}

function read(program: string, stdout: string): { username: string; secret: string } | null {
  let value: unknown;
  try {
    value = JSON.parse(stdout);
  } catch {
    value = null;
  }
  const result = answer.safeParse(value);
  if (!result.success) throw new Refusal(`${program}: gave an answer without Username and Secret`);
  const { Username: username, Secret: secret } = result.data;
  return username === '' && secret === '' ? null : { username, secret };
}

function run(
  program: string,
  input: string,
  signal: AbortSignal,
): Promise<{ code: number | null; stdout: string; missing: boolean }> {
  return new Promise((resolve) => {
    const child = spawn(program, ['get'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      signal,
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    let stdout = Buffer.alloc(0);
    const ended = (code: number | null, missing = false): void => {
      child.stdout.destroy();
      resolve({ code, stdout: stdout.toString('utf8'), missing });
    };
    child.stdout.on('data', (bytes: Buffer) => {
      stdout = Buffer.concat([stdout, bytes]);
      if (stdout.length > MAX_OUTPUT_BYTES) child.kill('SIGKILL');
    });
    // a helper that ends without reading its input is judged by its exit code
    child.stdin.on('error', () => undefined);
    child.on('error', () => {
      if (child.pid === undefined) ended(null, true);
    });
    child.on('exit', (code) => setTimeout(() => ended(code), OUTPUT_MS).unref());
    child.on('close', (code) => ended(code));
    child.stdin.end(input);
  });
}
