import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { printProblem, readPolicy } from '../../scripts/policy/index.ts';
import { censor } from '../../scripts/policy/secret.ts';
import { tollgate } from './fakeIo.ts';

/** Keys of other systems, as people might paste them into the wrong place. */
const KEYS = [
  'sk_live_4eC39HqLyjWDarjtT1zdP7dcx0',
  'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U',
  'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
  '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'A1B2-C3D4-E5F6-G7H8',
  'qV+3k/9ZrT1x8mN2b7Lw5Q==',
  'aZbYcXdWeVfUgThSiRjQkPlO',
  'Xy7kQ2mP9rT4',
  'tg_globex_8fNq2ZrT1x8mN2b7Lw5QkPlOaZbYcX',
];

/** Where a string stands that is no key's place. */
const PLACES: [place: string, policy: (key: string) => string][] = [
  ["a policy's name", (key) => `policy: ${key}\n`],
  ['a path', (key) => `policy: p\napis: { a: { paths: ["${key}"] } }\n`],
  ['a part of a path', (key) => `policy: p\napis: { a: { paths: ["/v1//${key}/x"] } }\n`],
  ['a host', (key) => `policy: p\napis: { a: { hosts: ["${key}"], paths: [/], plans: [none] } }\n`],
  ['a plan of an API', (key) => `policy: p\napis: { a: { paths: [/], plans: ["${key}"] } }\n`],
  ["an API's name", (key) => `policy: p\napis: { "${key}": { paths: 7 } }\n`],
  [
    "a plan's name, in a hint",
    (key) => `policy: p\nplans: { "${key}": }\napis: { a: { paths: [/], plans: [none] } }\n`,
  ],
  ["a route's name", (key) => `policy: p\napis: { a: { paths: [/], routes: [{ name: "${key}", when: {} }] } }\n`],
  [
    "a condition's method",
    (key) => `policy: p\napis: { a: { paths: [/], routes: [{ name: r, when: { methods: ["${key} "] } }] } }\n`,
  ],
  ['a key source', (key) => `policy: p\nkeySources: [{ header: "${key}" }, { authorization: "${key}" }]\n`],
  [
    'an upstream',
    (key) => `policy: p\nupstreams: { v: { url: "http://a" } }\napis: { a: { paths: [/], upstream: "${key}" } }\n`,
  ],
  ['a window', (key) => `policy: p\nplans: { a: { quotas: { "${key}": { limit: 1, window: "${key}" } } } }\n`],
  [
    'a rate limit service',
    (key) => `policy: p\nrateLimitService: { cluster: "${key} ", domain: "_${key}", timeout: "${key}" }\n`,
  ],
  ['a field', (key) => `policy: p\n"${key}": 1\napis: { a: { paths: [/], "${key}": 1 } }\n`],
  ['a field given twice', (key) => `policy: p\n"${key}": 1\n"${key}": 1\n`],
  ["a consumer's name", (key) => `policy: p\nconsumers: { "${key}": { plan: none, keys: 7 } }\n`],
  [
    'a target',
    (key) =>
      `policy: p\ntargets: [{ namespace: "${key}" }, { gateway: { namespace: "${key}_", selector: { "${key}": "${key} " } } }]\n`,
  ],
  ['a consumer in a warning', (key) => `policy: p\nconsumers: { "${key}": {} }\n`],
];

/** Asserts that no eight consecutive characters of the key appear. */
function assertUntold(text: string, key: string, what: string): void {
  for (let at = 0; at + 8 <= key.length; at++) assert.ok(!text.includes(key.slice(at, at + 8)), `${what}: ${text}`);
}

for (const [place, policyWith] of PLACES) {
  test(`a key in place of ${place} is not repeated`, async () => {
    for (const key of KEYS) {
      const policy = policyWith(key);
      const { problems, warnings } = readPolicy(policy, 'p');
      assert.ok(problems.length + warnings.length > 0, policy);
      assertUntold([...problems, ...warnings].map((problem) => printProblem(problem)).join('\n'), key, place);
      const { out, err } = await tollgate(['check', '--json', '-'], { stdin: policy });
      assertUntold(out + err, key, `${place}, as JSON`);
    }
  });
}

test('random keys look like keys, whatever they are written in', () => {
  for (const encoding of ['hex', 'base64', 'base64url'] as const) {
    const missed = Array.from({ length: 2000 }, (_, i) =>
      createHash('sha256').update(String(i)).digest().subarray(0, 20).toString(encoding),
    ).filter((key) => censor(key) === key);
    assert.ok(missed.length < 20, `${encoding}: ${missed.length} of 2000, such as ${missed[0]}`);
  }
});

test('strings that people make up are still shown', () => {
  const names = [
    'petstore-gold-plan-2026',
    'outbound|8081||ratelimit.tollgate.svc.cluster.local',
    'bob.smith@example.com',
    '/v1/customers/reports/v2',
    '2026-01-31T01:00:00+01:00',
    'ip-10-0-0-1.eu-west-1.compute.internal',
    'http://127.0.0.1:9001/path',
    'x-tollgate-consumer',
    '9007199254740993',
    '[2001:db8:85a3::8a2e:370:7334]',
    'subscriptionLimitOnBurst',
    'istio-ingressgateway-service-account',
    '1h30m5s',
    '100000000000000000000',
  ];
  for (const name of names) assert.equal(censor(name), name);
});
