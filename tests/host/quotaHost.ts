import assert from 'node:assert/strict';
import { keyOf, pluginConfig, type Quota } from '../../harness/config.ts';
import { type Generation, Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import type { Pair } from '../../scripts/host/stream.ts';

export const module = loadModule(modulePath);
export const START_MS = Date.UTC(2026, 0, 15, 12, 10);
export const SEEDS = [1, 2, 3, 4, 5];
/** Ticks in this much time bring every idle lease back. */
export const SETTLE_MS = 2_000;

export function request(consumer: number): Pair[] {
  return [
    [':authority', 'a.test'],
    [':path', '/v1/pets'],
    [':method', 'GET'],
    ['x-api-key', keyOf(consumer)],
  ];
}

export function openHost(workers: number, quotas: Quota[], consumers = 1): Host {
  const host = new Host(module, { workers, startMs: START_MS });
  assert.ok(host.load(JSON.stringify(pluginConfig(quotas, { consumers }))), host.logs().join('\n'));
  return host;
}

/** True when the request passed; anything but 200 and 429 fails. */
export function ask(host: Host, worker: number, consumer = 0, generation?: Generation): boolean {
  const { response } = host.request(request(consumer), { worker, ...(generation ? { generation } : {}) });
  const status = response.first(':status');
  assert.ok(
    status === '200' || status === '429',
    `status ${status}: ${host.faults.join()} ${host.logs('error').join()}`,
  );
  return status === '200';
}

/** Sends requests until every worker refuses, with time for idle leases to come back; returns how many passed. */
export function drain(host: Host, consumer = 0): number {
  let passed = 0;
  for (let round = 0; round < 50; round++) {
    let some = false;
    for (let worker = 0; worker < host.workers.length; worker++) {
      while (ask(host, worker, consumer)) {
        passed++;
        some = true;
      }
    }
    host.pass(SETTLE_MS);
    if (!some && round > 2) return passed;
  }
  assert.fail('never drained');
}
