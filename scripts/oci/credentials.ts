import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { OciError } from './error.ts';
import { readBounded, Unreadable } from '../file/read.ts';
import { isToken } from './authorization.ts';
import { credentialKey, type Reference } from './reference.ts';

/** How to prove to a registry who is pushing. `origin` is for messages: where it comes from, never what it is. */
export type Credential =
  | { readonly kind: 'password'; readonly username: string; readonly password: string; readonly origin: string }
  | { readonly kind: 'identityToken'; readonly token: string; readonly origin: string }
  | { readonly kind: 'registryToken'; readonly token: string; readonly origin: string };

/** Called only when a registry asks: an open one must not depend on a working helper. Null: there is none. */
export type CredentialSource = () => Promise<Credential | null>;

/** docker's way of saying that a secret is an identity token. */
const TOKEN_USER = '<token>';

export function givenCredential(username: string, password: string): Credential {
  return { kind: 'password', username, password, origin: '--username and --password-stdin' };
}

/**
 * What `docker login` (or its helpers) left for the repository: an entry in the file with a path of it, otherwise what the
 * helper has for the registry, otherwise the file's entry for the registry.
 */
export async function dockerCredential(
  place: Place,
  signal: AbortSignal,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Credential | null> {
  const { path, helper, login, isNarrow } = await dockerConfig(place, env);
  if (helper === null || isNarrow) return fromLogin(login, path);
  const found = await askHelper(helper, credentialKey(place.host), signal);
  if (found === null) return fromLogin(login, path);
  const origin = `docker-credential-${helper}`;
  return found.username === TOKEN_USER
    ? { kind: 'identityToken', token: found.secret, origin }
    : { kind: 'password', username: found.username, password: found.secret, origin };
}

/**
 * What a Secret of type `kubernetes.io/dockerconfigjson` has for the repository; it names no helpers. Messages call it `origin`, and
 * never repeat what is in it.
 */
export function secretCredential(json: string, place: Place, origin: string): Credential | null {
  const { auths } = parse(origin, json);
  for (const scope of scopesOf(place)) {
    const login = entryFor(auths, scope);
    if (login !== null) return fromLogin(login, origin);
  }
  return null;
}

function fromLogin(login: Login | null, origin: string): Credential | null {
  if (login === null) return null;
  if (login.registrytoken && !isToken(login.registrytoken))
    throw new OciError(`${origin}: a registrytoken has characters that no token has`);
  if (login.registrytoken) return { kind: 'registryToken', token: login.registrytoken, origin };
  if (login.identitytoken) return { kind: 'identityToken', token: login.identitytoken, origin };
  if (login.auth) return fromAuth(login.auth, origin);
  if (login.username !== undefined && login.password !== undefined)
    return { kind: 'password', username: login.username, password: login.password, origin };
  return null;
}

/** `auth` is base64 of `user:password`; the password may hold colons. */
function fromAuth(auth: string, origin: string): Credential {
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) throw new OciError(`${origin}: an auth is not base64 of user:password`);
  return {
    kind: 'password',
    username: text.slice(0, colon),
    password: text.slice(colon + 1).replace(/\0+$/, ''),
    origin,
  };
}

const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

const login = z.object({
  auth: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  identitytoken: z.string().optional(),
  registrytoken: z.string().optional(),
});
const schema = z.object({
  auths: z.record(z.string(), login).nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
});

type Login = z.infer<typeof login>;

/** What docker's config.json says about one repository. */
interface DockerConfig {
  readonly path: string;
  /** Name of the `docker-credential-…` program in charge of the registry. */
  readonly helper: string | null;
  readonly login: Login | null;
  /**
   * The login is for a part of the registry (`registry.example/team`): it takes precedence over what a helper has for all
   * of it.
   */
  readonly isNarrow: boolean;
}

type Place = Pick<Reference, 'host' | 'repository'>;

/** Reads `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`. Messages never repeat what is in it. */
async function dockerConfig(place: Place, env: NodeJS.ProcessEnv = process.env): Promise<DockerConfig> {
  const path = join(env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker'), 'config.json');
  const bytes = await readBounded(path, MAX_CONFIG_BYTES).catch((error: Error) => {
    if (error instanceof Unreadable && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return Buffer.from('{}');
    throw new OciError(`${path}: ${error.message}`);
  });
  const config = parse(path, bytes.toString('utf8'));
  const helper = entryFor(config.credHelpers, place.host) ?? (config.credsStore || null);
  for (const scope of scopesOf(place)) {
    const login = entryFor(config.auths, scope);
    // docker leaves an empty entry for what its store holds
    if (login !== null && Object.values(login).some((value) => value !== undefined && value !== ''))
      return { path, helper, login, isNarrow: scope !== place.host };
  }
  return { path, helper, login: null, isNarrow: false };
}

/** `host/team/app`, `host/team`, `host`: from the narrowest entry that may be meant to the widest. */
function scopesOf({ host, repository }: Place): string[] {
  const parts = repository.split('/');
  return [...parts.map((_, at) => [host, ...parts.slice(0, parts.length - at)].join('/')), host];
}

function parse(path: string, text: string): z.infer<typeof schema> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // JSON.parse quotes the text around the mistake, and that may be a password
    throw new OciError(`${path}: not JSON`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new OciError(`${path}: ${result.error.issues[0]?.path.join('.') ?? ''}: not as docker writes it`);
}

/** Entries are found whichever way they are written: `host`, `https://host`, `https://host/v2/`, `host/team/`. */
function entryFor<T>(entries: Record<string, T> | null | undefined, scope: string): T | null {
  if (entries === null || entries === undefined) return null;
  const key = keyOf(scope);
  if (Object.hasOwn(entries, key)) return entries[key] ?? null;
  const found = Object.keys(entries).find((name) => keyOf(bare(name)) === key);
  return found === undefined ? null : (entries[found] ?? null);
}

/** Docker Hub has several names; everything below one is below all. */
function keyOf(scope: string): string {
  const slash = scope.indexOf('/');
  return slash < 0 ? credentialKey(scope) : `${credentialKey(scope.slice(0, slash))}${scope.slice(slash)}`;
}

function bare(name: string): string {
  return name.replace(/^https?:\/\//, '').replace(/\/+(v[12]\/?)?$/, '');
}

const answer = z.object({ Username: z.string(), Secret: z.string() });

/** What every helper prints when it has nothing; that is not an error. */
const NOT_FOUND = /credentials not found/i;
const TIMEOUT_MS = 30_000;
/** How long output is waited for after its end: what it started may hold the pipe open for ever. */
const OUTPUT_MS = 1000;
const MAX_OUTPUT_BYTES = 256 * 1024;

/** Asks `docker-credential-NAME get`; null when it has no credentials for the registry. */
async function askHelper(
  name: string,
  server: string,
  signal: AbortSignal,
): Promise<{ username: string; secret: string } | null> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name))
    throw new OciError(`docker's config.json names a credential helper "${name}"; that is not a name of a program`);
  const program = `docker-credential-${name}`;
  const { code, stdout, missing } = await run(program, server, signal);
  if (missing)
    throw new OciError(
      `${program}: not on PATH, but docker's config.json names it; install it, or use --username and --password-stdin`,
    );
  if (code !== 0) {
    if (NOT_FOUND.test(stdout)) return null;
    // nothing that it printed is repeated: it is a program about secrets
    throw new OciError(`${program}: has failed (exit code ${code}) for ${server}`);
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
  if (!result.success) throw new OciError(`${program}: gave an answer without Username and Secret`);
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
