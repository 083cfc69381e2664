import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compilePolicy, loadPolicy, readPolicy } from '../../scripts/policy/index.ts';
import { matchesGolden } from './golden.ts';

const EVERYTHING = new URL('./compile/everything.policy.yaml', import.meta.url);

test('compiles every field', () => {
  const { policy, problems } = readPolicy(readFileSync(EVERYTHING, 'utf8'), 'everything');
  assert.deepEqual(problems, []);
  matchesGolden(`${JSON.stringify(compilePolicy(policy!), null, 2)}\n`, new URL('./compile/everything.json', import.meta.url));
});

test('leaves defaults out', () => {
  const text = `
policy: p
unmatched: deny
forwardKey: false
keySources: [{ header: x-api-key }]
apis: { a: { paths: [/], plans: [b], anonymous: deny, preflight: deny, routes: [] } }
plans: { b: { quotas: { c: { limit: 1, window: day, per: consumer } } } }
consumers: { d: { subscriptions: { a: { plan: b, paused: false, limits: {} } }, keys: [] } }
`;
  assert.deepEqual(compilePolicy(readPolicy(text, 'p').policy!), {
    version: 1,
    policy: 'p',
    keySources: [{ header: 'x-api-key' }],
    apis: [{ name: 'a', paths: ['/'], plans: ['b'] }],
    plans: [{ name: 'b', quotas: [{ name: 'c', limit: 1, window: 'day' }] }],
    consumers: [{ name: 'd', subscriptions: [{ api: 'a', plan: 'b' }] }],
  });
  assert.deepEqual(compilePolicy(readPolicy('policy: p', 'p').policy!), {
    version: 1, policy: 'p', keySources: [{ header: 'x-api-key' }], apis: [], plans: [], consumers: [],
  });
});

test('keeps the order of the policy', () => {
  const names = ['zulu', 'alpha', 'mike'];
  const of = (value: string): string => `{ ${names.map((name) => `${name}: ${value}`).join(', ')} }`;
  const text = `policy: p\napis: { a: { paths: [/], plans: [${names.join(', ')}] } }\nplans: ${of(`{ quotas: ${of('{ limit: 1, window: day }')} }`)}\nconsumers: ${of('{ plan: zulu }')}\n`;
  const config = compilePolicy(readPolicy(text, 'p').policy!);
  for (const list of [config.plans, config.plans[0]!.quotas!, config.consumers]) assert.deepEqual(list.map(({ name }) => name), names);
  assert.deepEqual(config.apis[0]!.plans, names);
});

test('gives the same bytes for the same policy', async () => {
  const file = new URL('../../examples/petstore.policy.yaml', import.meta.url).pathname;
  const [one, two] = await Promise.all([loadPolicy(file), loadPolicy(file)]);
  assert.equal(JSON.stringify(compilePolicy(one.policy!)), JSON.stringify(compilePolicy(two.policy!)));
});
