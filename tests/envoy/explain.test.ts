import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { available } from '../../harness/envoy/available.ts';
import { SettableClock } from '../../harness/envoy/settableClock.ts';
import { Random } from '../../harness/random.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { LOG_FIELDS } from '../../scripts/contract/table.ts';
import { countedHere, Engine } from '../../scripts/explain/engine.ts';
import { pairsOf } from '../../scripts/explain/request.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { logFieldsOf } from '../../scripts/host/openRequest.ts';
import { compilePolicy, validPolicy } from '../../scripts/policy/index.ts';
import type { WireRequest } from '../cases/wire.ts';
import { EnvoyRunner } from './caseRunner.ts';

const SEED =
  process.env['SEED'] === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(process.env['SEED'] ?? 5151);
const REQUESTS = Number(process.env['REQUESTS'] ?? 3000);
const START = Date.UTC(2026, 0, 31, 23, 59, 0);

const KEYS = [
  'free-secret-key',
  'gold-secret-key',
  'own-secret-key',
  'none-secret-key',
  'late-secret-key',
  'gone-secret-key',
];

function digest(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

const POLICY = JSON.stringify({
  policy: 'agreement',
  accessLog: { fields: 'all' },
  keySources: [{ header: 'x-api-key' }, { authorization: 'Bearer' }, { query: 'api_key' }, { cookie: 'api_key' }],
  upstreams: { v1: { url: 'http://127.0.0.1:9001' } },
  apis: {
    pets: {
      hosts: ['api.example.com', '*.pets.test'],
      paths: ['/v1', '/v1/deep/er'],
      plans: ['free', 'gold'],
      upstream: 'v1',
      routes: [
        { name: 'write', when: { methods: ['POST', 'PUT'] }, upstream: 'v1', setHeaders: { 'x-stage': 'write' } },
        {
          name: 'next',
          when: { path: '/v1/next', headers: { 'x-api-version': '2' } },
          upstream: 'v1',
          rewritePrefix: '/v2',
        },
        { name: 'gold', when: { plans: ['gold'] }, upstream: 'v1', removeHeaders: ['x-api-version'] },
      ],
    },
    open: {
      hosts: ['api.example.com'],
      paths: ['/open'],
      plans: ['free'],
      anonymous: 'allow',
      preflight: 'allow',
      upstream: 'v1',
    },
    any: { paths: ['/any'], plans: ['gold'], upstream: 'v1' },
  },
  plans: {
    free: { quotas: { second: { limit: 3, window: 'second' }, hourly: { limit: 150, window: 'hour' } } },
    gold: { quotas: { bucket: { limit: 10, window: 'second', burst: 5 }, monthly: { limit: 400, window: 'month' } } },
  },
  consumers: {
    free: { plan: 'free', keys: [{ id: 'free-1', digest: digest(KEYS[0]!) }] },
    gold: { plan: 'gold', keys: [{ id: 'gold-1', digest: digest(KEYS[1]!) }] },
    own: {
      subscriptions: { pets: { plan: 'gold', limits: { monthly: 100 } }, open: { plan: 'free', paused: true } },
      keys: [{ id: 'own-1', digest: digest(KEYS[2]!) }],
    },
    none: { keys: [{ id: 'none-1', digest: digest(KEYS[3]!) }] },
    late: {
      plan: 'free',
      keys: [{ id: 'late-1', digest: digest(KEYS[4]!), from: '2026-02-01T00:00:20Z', until: '2026-02-01T00:01:00Z' }],
    },
    gone: { plan: 'free', keys: [{ id: 'gone-1', digest: digest(KEYS[5]!), revoked: true }] },
  },
});

const HOSTS = [
  ...Array.from({ length: 12 }, () => 'api.example.com'),
  'API.example.com.',
  'a.pets.test:8080',
  'other.test',
  'a..b',
  '127.1',
];
const PATHS = [
  '/v1',
  '/v1/pets',
  '/v1//pets/%37',
  '/v1/next/7',
  '/%76%31/x',
  '/v1/../open',
  '/V1/pets',
  '/v1;x/pets',
  '/v1/%2f',
  '/open',
  '/any/',
  '/nowhere',
  '/v1//../x',
];
const METHODS = ['GET', 'GET', 'GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE'];

/** A request with a key in one place, none, two, a wrong one or one that is none. */
function randomRequest(random: Random): WireRequest {
  const headers: [string, string][] = [];
  let path = random.pick(PATHS);
  if (random.chance(0.2)) path += `?a=${random.below(10)}`;
  const add = (key: string): void => {
    const place = random.below(5);
    if (place === 0) headers.push(['authorization', random.chance(0.5) ? `bearer ${key}` : `Basic abc, Bearer ${key}`]);
    else if (place === 1) path += `${path.includes('?') ? '&' : '?'}api_key=${key}`;
    else if (place === 2) headers.push(['cookie', `a=b; api_key=${key}`]);
    else headers.push([random.pick(['x-api-key', 'X-API-Key', 'x-api-key']), key]);
  };
  const kind = random.below(20);
  if (kind < 16) add(random.pick(KEYS));
  if (kind === 16) add('unknown-secret-key');
  if (kind === 17) headers.push(['x-api-key', 'with a space']);
  if (kind === 15) add(random.pick(KEYS));
  if (random.chance(0.3)) headers.push(['x-api-version', random.pick(['2', '1, 2', '3'])]);
  if (random.chance(0.1)) headers.push(['x-tollgate-consumer', 'forged'], ['connection', 'keep-alive, x-api-version']);
  if (random.chance(0.1)) headers.push(['origin', 'https://a.test'], ['access-control-request-method', 'GET']);
  if (random.chance(0.05)) headers.push(['content-type', 'application/grpc']);
  return { method: random.pick(METHODS), path, host: random.pick(HOSTS), headers };
}

type Headers = readonly (readonly [name: string, value: string])[];

/** Headers that the module writes or removes; the others are the proxy's and the upstream's. */
const ANSWER = [
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'www-authenticate',
  'cache-control',
  'grpc-status',
  'grpc-message',
];
const FORWARDED = [
  'x-tollgate-consumer',
  'x-tollgate-plan',
  'x-tollgate-route',
  'x-api-key',
  'authorization',
  'cookie',
  'x-api-version',
  'x-stage',
];

function only(names: readonly string[], headers: Headers): string[] {
  return names.flatMap((name) => headers.filter(([one]) => one === name).map(([, value]) => `${name}: ${value}`));
}

const found = await available();
const clock = found.skip === false ? await SettableClock.make() : null;
const runner = new EnvoyRunner(found, clock);
const skip =
  found.skip === false ? clock === null && 'needs a clock that can be set: Linux and a C compiler' : found.skip;

describe('explain and a real Envoy', { skip }, () => {
  after(() => runner.close());

  it(`agree on ${REQUESTS} random requests: reason, reply, quotas, what the upstream gets; seed ${SEED}`, async () => {
    const random = new Random(SEED);
    const session = await runner.open(POLICY, START);
    const config = countedHere(compilePolicy(validPolicy(POLICY, 'agreement').policy), LOG_FIELDS);
    const engine = new Engine(loadModule(modulePath), config, START);
    const reasons = new Map<string, number>();
    let atMs = 0;
    for (let i = 0; i < REQUESTS; i++) {
      atMs += random.pick([0, 0, 1, 7, 60, 180]);
      const request = randomRequest(random);
      const real = await session.send(request, atMs);
      const own = engine.decide(pairsOf({ ...request, path: request.path!, scheme: 'http' }), START + atMs);
      const passed = own.upstream !== null;
      const told = {
        reason: own.filterState.get('wasm.tollgate')?.match(/^reason=(\S+)/)?.[1],
        passed,
        status: passed ? null : Number(own.response.first(':status')),
        headers: only(ANSWER, own.response.pairs),
        body: passed ? null : own.body,
        path: own.upstream?.first(':path'),
        forwarded: only(FORWARDED, own.upstream?.pairs ?? []),
        log: own.filterState.get('wasm.tollgate'),
        fields: logFieldsOf(own),
      };
      const seen = {
        reason: real.reason,
        passed: real.upstream !== null,
        status: real.upstream === null ? real.status : null,
        headers: only(ANSWER, real.headers),
        body: real.upstream === null ? real.body : null,
        path: real.upstream?.path,
        forwarded: only(FORWARDED, real.upstream?.headers ?? []),
        log: real.log,
        fields: real.fields,
      };
      assert.deepEqual(told, seen, `request ${i} at ${atMs} ms: ${JSON.stringify(request)}`);
      reasons.set(real.reason, (reasons.get(real.reason) ?? 0) + 1);
    }
    await session.close();
    // nothing is proven by requests that all end alike
    const wanted = [
      'allowed',
      'anonymous',
      'preflight',
      'no_api',
      'invalid_host',
      'invalid_path',
      'missing_api_key',
      'unknown_api_key',
    ];
    const more = [
      'malformed_api_key',
      'ambiguous_api_key',
      'revoked_api_key',
      'inactive_api_key',
      'expired_api_key',
      'not_subscribed',
    ];
    for (const reason of [...wanted, ...more, 'subscription_paused', 'quota_exceeded'])
      assert.ok((reasons.get(reason) ?? 0) > 0, `${reason}: ${JSON.stringify([...reasons])}`);
  });
});
