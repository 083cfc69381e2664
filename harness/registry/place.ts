import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { RetryPolicy } from '../../scripts/oci/failure.ts';
import { scratchFolder } from '../scratch.ts';
import { lacking } from './component.ts';
import { Proxy } from './proxy.ts';
import { REGISTRY_PROGRAM, RealRegistry } from './realRegistry.ts';

/** Retries without the waits of a real push. */
export const QUICK: RetryPolicy = { attempts: 4, firstWaitMs: 20, longestWaitMs: 100, longestRetryAfterMs: 5000 };

/** A registry with a proxy in front of it, both running for a whole test file. */
export interface Place {
  readonly folder: string;
  readonly skip: false | string;
  readonly registry: RealRegistry;
  readonly proxy: Proxy;
  /** `oci://proxy/NAME`. */
  target(name: string): string;
}

/** Starts them before the file's tests, with the authentication `auth`; the user's own credentials are hidden. */
export async function place(
  auth: (folder: string) => Promise<object> = () => Promise.resolve({}),
  needed: string[] = [],
): Promise<Place> {
  const folder = scratchFolder();
  const skip = await lacking(REGISTRY_PROGRAM, ...needed);
  const held: { registry?: RealRegistry; proxy?: Proxy } = {};
  process.env['DOCKER_CONFIG'] = join(folder, 'docker');
  mkdirSync(join(folder, 'docker'));
  if (skip === false) {
    before(async () => {
      held.registry = await RealRegistry.start(await auth(folder));
      held.proxy = await Proxy.start(held.registry.host);
    });
    after(async () => {
      await held.proxy?.stop();
      await held.registry?.remove();
    });
  }
  return {
    folder,
    skip,
    get registry() {
      return there(held.registry);
    },
    get proxy() {
      return there(held.proxy);
    },
    target: (name) => `oci://${there(held.proxy).host}/${name}`,
  };
}

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('used before it was started');
  return value;
}

/** Writes docker's config.json into the test's own folder. */
export function dockerLogin(folder: string, config: object): void {
  writeFileSync(join(folder, 'docker', 'config.json'), JSON.stringify(config));
}

/** What the registry has under a path such as `manifests/1.0`, fetched without the tool. */
export async function stored(
  host: string,
  repository: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; digest: string | null; bytes: Buffer }> {
  const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json';
  const response = await fetch(`http://${host}/v2/${repository}/${path}`, { headers: { accept, ...headers } });
  return {
    status: response.status,
    digest: response.headers.get('docker-content-digest'),
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}
