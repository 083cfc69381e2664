import { createHash } from 'node:crypto';
import type { Pair } from '../../scripts/host/stream.ts';
import type { WasmModule } from '../../scripts/host/abi.ts';
import { BULK_BYTES, INSTRUCTIONS } from '../../harness/count/counted.ts';
import { SCALE_REQUEST } from '../../harness/count/scale.ts';
import { BareHost } from './bareHost.ts';

/** The most quotas that a plan may have. */
export const MOST_QUOTAS = 8;
const KEY_DIGITS = 8;
/** Ten thousand requests a second. */
const MICROSECONDS_APART = 100;
const KEY_PREFIX = 'tg-bench-';

/** One situation to measure: a module with a config in force. */
export interface Subject {
  readonly configBytes: number;
  readonly configureMilliseconds: number;
  /** Sends `requests` requests with random keys of the first `busy` consumers; returns nanoseconds per request. */
  time(requests: number, busy: number): number;
  readonly host: BareHost;
}

export interface ConsumersSubject extends Subject {
  readonly consumers: number;
  readonly quotas: number;
}

export interface Exact {
  readonly instructions: number;
  readonly bulkBytes: number;
  readonly hostCalls: number;
}

/** A module with `consumers` consumers on a plan with `quotas` quotas, and requests with random keys. */
export function openSubject(module: WasmModule, consumers: number, quotas: number): ConsumersSubject {
  const configured = configure(module, configOf(consumers, quotas));
  const { host } = configured;
  const headers = host.prepare(headersOf(keyOf(0)));
  const keyAt = headers.indexOf(keyOf(0)) + KEY_PREFIX.length;
  let state = 1;
  const next = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
  const request = (busy: number): void => {
    let number = Math.floor((next() / 4294967296) * busy);
    for (let at = keyAt + KEY_DIGITS - 1; at >= keyAt; at--) {
      headers[at] = 0x30 + (number % 10);
      number = Math.floor(number / 10);
    }
    host.request(MICROSECONDS_APART);
  };
  return {
    ...configured,
    consumers,
    quotas,
    time(requests, busy) {
      const start = process.hrtime.bigint();
      for (let i = 0; i < requests; i++) request(busy);
      return Number(process.hrtime.bigint() - start) / requests;
    },
  };
}

/** A module with the config of a scale, and its one request. */
export function openScaled(module: WasmModule, config: object): Subject {
  const configured = configure(module, Buffer.from(JSON.stringify(config)));
  const { host } = configured;
  host.prepare(SCALE_REQUEST);
  return {
    ...configured,
    time(requests) {
      const start = process.hrtime.bigint();
      for (let i = 0; i < requests; i++) host.request(MICROSECONDS_APART);
      return Number(process.hrtime.bigint() - start) / requests;
    },
  };
}

function configure(
  module: WasmModule,
  config: Uint8Array,
): Pick<Subject, 'host' | 'configBytes' | 'configureMilliseconds'> {
  const host = new BareHost(module);
  const before = performance.now();
  host.configure(config);
  return { host, configBytes: config.length, configureMilliseconds: performance.now() - before };
}

/** The exact cost of a request: the most frequent of many, because some requests also take a lease. */
export function exactCost(subject: Subject, requests: number): Exact {
  const seen = new Map<string, { times: number; cost: Exact }>();
  for (let i = 0; i < requests; i++) {
    const before = countsOf(subject.host);
    subject.time(1, 1);
    const after = countsOf(subject.host);
    const cost = {
      instructions: after.instructions - before.instructions,
      bulkBytes: after.bulkBytes - before.bulkBytes,
      hostCalls: after.hostCalls - before.hostCalls,
    };
    const entry = seen.get(JSON.stringify(cost)) ?? { times: 0, cost };
    entry.times++;
    seen.set(JSON.stringify(cost), entry);
  }
  return [...seen.values()].sort((a, b) => b.times - a.times || a.cost.instructions - b.cost.instructions)[0]!.cost;
}

function countsOf(host: BareHost): Exact {
  return { instructions: host.global(INSTRUCTIONS), bulkBytes: host.global(BULK_BYTES), hostCalls: host.hostCalls };
}

function keyOf(consumer: number): string {
  return `${KEY_PREFIX}${String(consumer).padStart(KEY_DIGITS, '0')}`;
}

function headersOf(key: string): Pair[] {
  return [
    [':authority', 'api.example.com'],
    [':path', '/v1/pets?limit=10'],
    [':method', 'GET'],
    [':scheme', 'https'],
    ['user-agent', 'curl/8.5.0'],
    ['accept', '*/*'],
    ['x-request-id', '4f0c7b9e-7a6d-4a9e-9b39-0a2c0f9f5d11'],
    ['x-api-version', '2'],
    ['x-api-key', key],
  ];
}

/** The config as bytes, built piece by piece: with a million consumers it is too large for one string. */
function configOf(consumers: number, quotas: number): Uint8Array {
  const plan = {
    name: 'free',
    quotas: Array.from({ length: quotas }, (_, i) => ({
      name: `quota-${i}`,
      limit: 1_000_000_000_000 + i,
      window: 'month',
    })),
  };
  const apis = [
    {
      name: 'petstore',
      paths: ['/v1'],
      plans: ['free'],
      routes: [{ name: 'v2', headers: [{ name: 'x-api-version', exact: '2' }] }],
    },
  ];
  const head = { version: 1, policy: 'bench', keySources: [{ header: 'x-api-key' }], apis, plans: [plan] };
  const parts = [Buffer.from(`${JSON.stringify(head).slice(0, -1)},"consumers":[`)];
  for (let first = 0; first < consumers; first += 10_000) {
    const items: string[] = [];
    for (let i = first; i < Math.min(consumers, first + 10_000); i++) {
      items.push(
        `{"name":"c${i}","plan":"free","keys":[{"id":"k","digest":"${createHash('sha256').update(keyOf(i)).digest('hex')}"}]}`,
      );
    }
    parts.push(Buffer.from(`${first === 0 ? '' : ','}${items.join(',')}`));
  }
  return Buffer.concat([...parts, Buffer.from(']}')]);
}
