import { Agent, request } from 'node:http';

/** Number of answers by status; a broken connection counts as status 0. */
export type Tally = Map<number, number>;

export interface Load {
  port: number;
  headers: Record<string, string>;
  connections: number;
  path?: string;
}

/** Keeps `connections` requests in flight over as many connections, until `next`, called before each, returns false. */
export async function hammer(load: Load, next: (tally: Tally) => boolean): Promise<Tally> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  const tally: Tally = new Map();
  const caller = async (): Promise<void> => {
    while (next(tally)) {
      const status = await once(load, agent);
      tally.set(status, (tally.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: load.connections }, caller));
  agent.destroy();
  return tally;
}

/** Sends `count` requests in total. */
export function send(load: Load, count: number): Promise<Tally> {
  let left = count;
  return hammer(load, () => left-- > 0);
}

function once(load: Load, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(
      { agent, host: '127.0.0.1', port: load.port, path: load.path ?? '/v1/pets', headers: load.headers },
      (response) => {
        response
          .resume()
          .on('end', () => resolve(response.statusCode ?? 0))
          .on('error', () => resolve(0));
      },
    );
    sent.on('error', () => resolve(0)).end();
  });
}

export function count(tally: Tally, status: number): number {
  return tally.get(status) ?? 0;
}

/**
 * Sends rounds of requests until `wanted` answers in total were 200, of which it already had `had`. Idle leases come back on a
 * worker's tick, so the last few may take several rounds. Resolves to the number reached, at the deadline at the latest.
 */
export async function drain(load: Load, had: number, wanted: number, deadlineMs = 10_000): Promise<number> {
  const deadline = Date.now() + deadlineMs;
  let reached = had;
  while (reached < wanted && Date.now() < deadline) {
    reached += count(await send(load, load.connections), 200);
    if (reached < wanted) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return reached;
}
