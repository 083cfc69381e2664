import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { CORE_SCHEMA, load } from 'js-yaml';
import { policiesDifferences, printDifference } from '../../scripts/diff/index.ts';
import { emitResources } from '../../scripts/istio/index.ts';
import { serviceConfigOf, serviceConfigText } from '../../scripts/rateLimitService/serviceConfig.ts';
import { compilePolicy, readPolicy, type Policy } from '../../scripts/policy/index.ts';
import { jsonSchemaText } from '../../scripts/policy/schema/policy.ts';
import { ORDERED_LISTS } from '../../scripts/policy/compile/compile.ts';

const IMAGE = `oci://registry.example/tollgate@sha256:${'a'.repeat(64)}`;
const POLICIES = [
  './order/shop.policy.yaml',
  './compile/everything.policy.yaml',
  './rateLimitService/shop.policy.yaml',
  '../../examples/petstore.policy.yaml',
  '../../wasmplugins/ingress-gateway/policy.yaml',
  '../../wasmplugins/waypoint/policy.yaml',
  '../../wasmplugins/mesh-quotas/policy.yaml',
];

type Fields = Record<string, unknown>;
/** A number from 0 below a bound, of a seeded source. */
type Draw = (below: number) => number;

function policyOf(document: unknown): Policy {
  const { policy, problems } = readPolicy(JSON.stringify(document), 'shuffled');
  assert.deepEqual(problems, []);
  return policy!;
}

function shuffled<T>(items: readonly T[], draw: Draw): T[] {
  const left = [...items];
  return items.map(() => left.splice(draw(left.length), 1)[0]!);
}

/** Shuffles everything whose order has no meaning: all but key sources, routes, and the first upstream. */
function reordered(value: unknown, field: string, draw: Draw): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => reordered(item, '', draw));
    return ORDERED_LISTS.has(field) ? items : shuffled(items, draw);
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, member]): [string, unknown] => [
    name,
    reordered(member, name, draw),
  ]);
  if (field !== 'upstreams') return Object.fromEntries(shuffled(entries, draw));
  const [first, ...others] = entries;
  return Object.fromEntries(first === undefined ? [] : [first, ...shuffled(others, draw)]);
}

/** Everything that the tool makes from a policy, as bytes. */
function bytesOf(policy: Policy): string {
  const config = serviceConfigOf(policy);
  const files =
    policy.targets.length === 0
      ? []
      : emitResources(policy, { image: IMAGE }).map(({ name, text }) => `${name}\n${text}`);
  return [
    JSON.stringify(compilePolicy(policy)),
    config === null ? '' : serviceConfigText(config, policy.policy),
    ...files,
  ].join('\n');
}

for (const file of POLICIES) {
  test(`${file} gives the same bytes in any order, and no differences`, () => {
    const document = load(readFileSync(new URL(file, import.meta.url), 'utf8'), { schema: CORE_SCHEMA }) as Fields;
    const policy = policyOf(document);
    const bytes = bytesOf(policy);
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (numbers) => {
        const draw: Draw = (below) => numbers.next().value! % below;
        const other = policyOf(reordered(document, '', draw));
        assert.equal(bytesOf(other), bytes);
        assert.deepEqual(policiesDifferences(policy, other).map(printDifference), []);
      }),
      { seed: 5, numRuns: 100 },
    );
  });
}

const SHOP = load(readFileSync(new URL('./order/shop.policy.yaml', import.meta.url), 'utf8'), {
  schema: CORE_SCHEMA,
}) as Fields & {
  keySources: unknown[];
  upstreams: Fields;
  apis: { pets: { routes: unknown[] }; admin: { keySources: unknown[] } };
};

test('where order has a meaning, the bytes differ and diff says why', () => {
  const changes: [next: unknown, expected: string][] = [
    [{ ...SHOP, keySources: [...SHOP.keySources].reverse() }, 'policy: key sources in another order'],
    [
      { ...SHOP, apis: { ...SHOP.apis, pets: { ...SHOP.apis.pets, routes: [...SHOP.apis.pets.routes].reverse() } } },
      'API pets: routes in another order: z-first, a-second',
    ],
    [
      {
        ...SHOP,
        apis: { ...SHOP.apis, admin: { ...SHOP.apis.admin, keySources: [...SHOP.apis.admin.keySources].reverse() } },
      },
      'API admin: key sources in another order',
    ],
    [
      { ...SHOP, upstreams: Object.fromEntries(Object.entries(SHOP.upstreams).reverse()) },
      'policy: requests that match no API go to v1 (was: v2)',
    ],
  ];
  for (const [next, expected] of changes) {
    assert.notEqual(bytesOf(policyOf(next)), bytesOf(policyOf(SHOP)), expected);
    assert.deepEqual(policiesDifferences(policyOf(SHOP), policyOf(next)).map(printDifference), [expected]);
  }
});

test('every list of a policy is known: a new one must say whether its order decides', () => {
  const lists = new Set<string>();
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [name, field] of Object.entries((node as { properties?: Fields }).properties ?? {})) {
      const forms = [field, ...((field as { anyOf?: unknown[] }).anyOf ?? [])] as { type?: string }[];
      if (forms.some(({ type }) => type === 'array')) lists.add(name);
    }
    Object.values(node).forEach(walk);
  };
  walk(JSON.parse(jsonSchemaText()));
  const sets = [
    'allow',
    'apis',
    'audiences',
    'consumers',
    'deny',
    'exposedHeaders',
    'fields',
    'gateways',
    'headers',
    'hosts',
    'identityHeaders',
    'keys',
    'methods',
    'oneOf',
    'origins',
    'pathData',
    'paths',
    'plans',
    'ports',
    'removeHeaders',
    'scopes',
    'services',
    'targets',
    'warnAt',
    'workloads',
  ];
  assert.deepEqual([...lists].sort(), [...sets, ...ORDERED_LISTS].sort());
});
