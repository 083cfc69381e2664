import { Agent, request } from 'node:http';
import { count, hammer, type Tally } from '../../harness/envoy/load.ts';
import type { MeshEnvoy } from '../../harness/rateLimitService/meshEnvoy.ts';
import { keyOf } from '../../harness/rateLimitService/meshPolicy.ts';
import { pause } from './steady.ts';

export interface Share {
  readonly envoy: MeshEnvoy;
  readonly connections: number;
}

/** Headers of a consumer's request. */
export function headersOf(consumer = 'acme'): Record<string, string> {
  return { 'x-api-key': keyOf(consumer) };
}

/** Load on several Envoys at once, each with connections of its own, until `enough`. Resolves to what each Envoy answered. */
export function hammerAll(
  shares: readonly Share[],
  enough: (tallies: readonly Tally[]) => boolean,
  /** Null for callers without a key. */
  consumer: string | null = 'acme',
): Promise<Tally[]> {
  const tallies = shares.map((): Tally => new Map());
  return Promise.all(
    shares.map(({ envoy, connections }, i) =>
      hammer({ port: envoy.port, headers: consumer === null ? {} : headersOf(consumer), connections }, (tally) => {
        tallies[i] = tally;
        return !enough(tallies);
      }),
    ),
  );
}

export function allowedIn(tallies: readonly Tally[]): number {
  return tallies.reduce((sum, tally) => sum + count(tally, 200), 0);
}

/** True once `allowed` has not grown for the given time. */
export function whenQuiet(quietMs: number): (tallies: readonly Tally[]) => boolean {
  let last = -1;
  let since = Date.now();
  return (tallies) => {
    const allowed = allowedIn(tallies);
    if (allowed !== last) {
      last = allowed;
      since = Date.now();
    }
    return Date.now() - since > quietMs;
  };
}

export function whenOver(forMs: number): () => boolean {
  const end = Date.now() + forMs;
  return () => Date.now() >= end;
}

export interface Answer {
  readonly status: number;
  readonly ms: number;
}

/** Requests at a steady pace, round the Envoys in turn, whether or not the ones before are answered. */
export async function pace(
  envoys: readonly MeshEnvoy[],
  perSecond: number,
  forMs: number,
  consumer?: string,
): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const answers: Promise<Answer>[] = [];
  const started = Date.now();
  while (Date.now() - started < forMs) {
    const due = Math.floor(((Date.now() - started) * perSecond) / 1000);
    while (answers.length < due) answers.push(once(envoys[answers.length % envoys.length]!, agent, consumer));
    await pause(2);
  }
  const all = await Promise.all(answers);
  agent.destroy();
  return all;
}

/** A request after another. */
export async function ask(envoy: MeshEnvoy, times: number, consumer?: string): Promise<Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const answers: Answer[] = [];
  for (let i = 0; i < times; i++) answers.push(await once(envoy, agent, consumer));
  agent.destroy();
  return answers;
}

export function tallyOf(answers: readonly Answer[]): Record<string, number> {
  const tally: Record<string, number> = {};
  for (const { status } of answers) tally[status] = (tally[status] ?? 0) + 1;
  return tally;
}

function once(envoy: MeshEnvoy, agent: Agent, consumer?: string): Promise<Answer> {
  const started = Date.now();
  return new Promise((resolve) => {
    const end = (status: number): void => resolve({ status, ms: Date.now() - started });
    const sent = request(
      { agent, host: '127.0.0.1', port: envoy.port, path: '/v1/pets', headers: headersOf(consumer) },
      (response) => {
        response
          .resume()
          .on('end', () => end(response.statusCode ?? 0))
          .on('error', () => end(0));
      },
    );
    sent.on('error', () => end(0)).end();
  });
}
