import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { Refusal } from '../cli/command.ts';
import { readBounded, Unreadable } from '../file/read.ts';
import { credentialKey, type Reference } from './reference.ts';

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

export type Login = z.infer<typeof login>;

/** What docker's config.json says about one repository. */
export interface DockerConfig {
  readonly path: string;
  /** Name of the `docker-credential-…` program in charge of the registry. */
  readonly helper: string | null;
  readonly login: Login | null;
  /** The login is for a part of the registry (`registry.example/team`): it counts before what a helper has for all of it. */
  readonly isNarrow: boolean;
}

export type Place = Pick<Reference, 'host' | 'repository'>;

/** Reads `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`. Messages never repeat what is in it. */
export async function dockerConfig(place: Place, env: NodeJS.ProcessEnv = process.env): Promise<DockerConfig> {
  const path = join(env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker'), 'config.json');
  const bytes = await readBounded(path, MAX_CONFIG_BYTES).catch((error: Error) => {
    if (error instanceof Unreadable && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return Buffer.from('{}');
    throw new Refusal(`${path}: ${error.message}`);
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
    throw new Refusal(`${path}: not JSON`);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new Refusal(`${path}: ${result.error.issues[0]?.path.join('.') ?? ''}: not as docker writes it`);
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
