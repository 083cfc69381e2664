import { availableComponents } from '../components/available.ts';

/** The programs of a real rate limit service. */
export interface Programs {
  readonly ratelimit: string;
  readonly redis: string;
}

/** Their paths, or why the service cannot run here. */
export async function realPrograms(): Promise<Programs | string> {
  const found = await availableComponents(['ratelimit', 'redis-server']);
  return found.skip === false ? { ratelimit: found.paths.ratelimit, redis: found.paths['redis-server'] } : found.skip;
}
