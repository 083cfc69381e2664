import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { Refusal } from '../command.ts';
import { credentialKey } from './reference.ts';

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

/** What docker's config.json says about one registry. */
export interface DockerConfig {
  readonly path: string;
  /** Name of the `docker-credential-…` program in charge of the registry. */
  readonly helper: string | null;
  readonly login: Login | null;
}

/** Reads `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`. Messages never repeat what is in it. */
export async function dockerConfig(host: string, env: NodeJS.ProcessEnv = process.env): Promise<DockerConfig> {
  const path = join(env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker'), 'config.json');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return '{}';
    throw new Refusal(`${path}: cannot be read: ${error.code ?? 'unknown error'}`);
  });
  const config = parse(path, text);
  const helper = ownOf(config.credHelpers, host) ?? (config.credsStore || null);
  return { path, helper, login: ownOf(config.auths, host) };
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

/** Entries are found by host whichever way they are written: `host`, `https://host`, `https://host/v2/`. */
function ownOf<T>(entries: Record<string, T> | null | undefined, host: string): T | null {
  if (entries === null || entries === undefined) return null;
  const key = credentialKey(host);
  if (Object.hasOwn(entries, key)) return entries[key] ?? null;
  const found = Object.keys(entries).find((name) => credentialKey(bare(name)) === key);
  return found === undefined ? null : (entries[found] ?? null);
}

function bare(name: string): string {
  return name.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
}
