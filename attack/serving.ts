import { requestBytes, sendRaw } from '../harness/envoy/wireClient.ts';
import { hold, pause } from './form.ts';
import type { Target } from './target.ts';

const SERVING_MS = 8000;

/** The key of an honest consumer with units left, or one after another. */
export type Keys = string | (() => string);

/**
 * Throws a Fault unless honest consumers with units left are served soon, by every worker: outages that were made end within
 * seconds. Envoy hands connections that are open at the same time to its workers in turn.
 */
export async function serves(target: Target, keys: Keys, withinMs = SERVING_MS): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    target.isAlive();
    const replies = await Promise.all(
      Array.from({ length: target.workers * 2 }, () => ask(target, typeof keys === 'string' ? keys : keys())),
    );
    const other = replies.find((reply) => reply?.status !== 200);
    if (replies.every((reply) => reply?.status === 200)) return;
    hold(
      Date.now() < deadline,
      `an honest request is answered ${other?.status ?? 'not at all'} ${withinMs / 1000} s after the attack: ${other?.body ?? ''}`,
    );
    await pause(100);
  }
}

async function ask(target: Target, key: string): Promise<{ status: number; body: string } | null> {
  return sendRaw(
    target.port,
    requestBytes({ method: 'GET', path: '/v1/pets', host: 'a.test', headers: [['x-api-key', key]] }),
  ).catch(() => null);
}
