import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { isExecutable } from '../../scripts/envoy/wheel.ts';

/** The programs of a real rate limit service. */
export interface Programs {
  readonly ratelimit: string;
  readonly redis: string;
}

/** Where they are, or which is missing. */
export async function realPrograms(): Promise<Programs | string> {
  const ratelimit = await first([join(homedir(), '.cache', 'tollgate-lab', 'bin', 'service_cmd')]);
  const redis = await first((process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'redis-server')));
  if (ratelimit === null) return 'no ratelimit here';
  return redis === null ? 'no redis-server here' : { ratelimit, redis };
}

async function first(candidates: string[]): Promise<string | null> {
  for (const candidate of candidates) if (await isExecutable(candidate)) return candidate;
  return null;
}
