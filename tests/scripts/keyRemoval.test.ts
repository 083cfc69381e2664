import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policiesDifferences, printDifference } from '../../scripts/diff/index.ts';
import { routeTableOf } from '../../scripts/envoy/resource.ts';
import { snapshotOf, union } from '../../scripts/envoy/snapshot.ts';
import { emitResources, type Resource } from '../../scripts/istio/index.ts';
import type { Story } from '../../scripts/explain/story.ts';
import { compilePolicy, readPolicy, type Policy } from '../../scripts/policy/index.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { tollgate } from './fakeIo.ts';

const folder = scratchFolder();
const IMAGE = `oci://registry.example/tollgate@sha256:${'ab'.repeat(32)}`;
const TARGETS = `
  - gateway: { namespace: edge, selector: { istio: ingressgateway }, gateways: [edge/ingress] }
  - gatewayApi: { namespace: edge, kind: Gateway, name: gw }`;
const SPELLINGS = ['x-api-key', 'x-api_key', 'x_api-key', 'x_api_key'];

function policyText(head: string, targets = TARGETS): string {
  return `policy: shop
${head}
targets: ${targets}
upstreams:
  v1: { service: { host: v1.edge.svc.cluster.local, port: 80 }, url: "http://127.0.0.1:9001", hostRewrite: true }
  v2: { service: { host: v2.edge.svc.cluster.local, port: 80 }, url: "http://127.0.0.1:9002" }
apis:
  pets: { paths: [/v1], anonymous: allow, upstream: v1 }
  toys: { paths: [/toys], anonymous: allow, upstream: v2 }
`;
}

function policyOf(head: string): Policy {
  const { policy, problems } = readPolicy(policyText(head), 'shop.policy.yaml');
  assert.deepEqual(problems, []);
  return policy!;
}

interface Rule {
  readonly name?: string;
  readonly directResponse?: object;
  readonly headers?: { readonly request: { readonly remove: string[] } };
  readonly filters?: { readonly type: string; readonly requestHeaderModifier?: { readonly remove: string[] } }[];
}

/** What each rule that leads somewhere removes. */
function removedIn(resources: readonly Resource[]): (string[] | undefined)[] {
  return resources.flatMap(({ spec }) => {
    const { http = [], rules = [] } = (spec ?? {}) as { http?: Rule[]; rules?: Rule[] };
    return [...http, ...rules]
      .filter(({ directResponse }) => directResponse === undefined)
      .map(
        (rule) =>
          rule.headers?.request.remove ??
          rule.filters?.find(({ type }) => type === 'RequestHeaderModifier')?.requestHeaderModifier!.remove,
      );
  });
}

function emitted(policy: Policy, former: readonly Resource[] = []): Resource[] {
  return emitResources(policy, { image: IMAGE }, former).map(({ resource }) => resource);
}

test('every route of every table takes every spelling of the header off, also what no module has checked', () => {
  const policy = policyOf('keyRemoval: routes');
  for (const options of [{ image: IMAGE }, { image: IMAGE, failStrategy: 'FAIL_OPEN' as const }]) {
    const removed = removedIn(emitResources(policy, options).map(({ resource }) => resource));
    assert.ok(removed.length >= 4, String(removed.length));
    for (const names of removed) assert.deepEqual(names, SPELLINGS);
  }
  assert.deepEqual(
    (routeTableOf(snapshotOf(policy, compilePolicy(policy))) as { request_headers_to_remove: string[] })
      .request_headers_to_remove,
    SPELLINGS,
  );
});

test('by default nothing is written into tables', () => {
  for (const head of ['', 'keyRemoval: module']) {
    const policy = policyOf(head);
    assert.ok(removedIn(emitted(policy)).every((names) => names === undefined));
    assert.ok(!('request_headers_to_remove' in routeTableOf(snapshotOf(policy, compilePolicy(policy)))));
    assert.equal(JSON.stringify(compilePolicy(policy)), JSON.stringify(compilePolicy(policyOf(''))));
  }
});

test('a table goes on taking keys off beside the plugin that left them there, until somebody says that they may be seen', () => {
  const former = emitted(policyOf('keyRemoval: routes'));
  for (const names of removedIn(emitted(policyOf('keyRemoval: module'), former))) assert.deepEqual(names, SPELLINGS);
  const other = emitted(policyOf('keyRemoval: routes\nkeySources: [{ header: key }]'), former);
  for (const names of removedIn(other)) assert.deepEqual(names, ['key', ...SPELLINGS]);
  assert.ok(removedIn(emitted(policyOf('forwardKey: true'), former)).every((names) => names === undefined));

  const [before, after] = ['keyRemoval: routes', 'keyRemoval: module'].map((head) => {
    const policy = policyOf(head);
    return snapshotOf(policy, compilePolicy(policy));
  });
  for (const both of [union(before!, after!), union(after!, before!)]) assert.deepEqual(both.removedHeaders, SPELLINGS);
});

test('diff says who takes keys off', () => {
  const [module, routes] = ['', 'keyRemoval: routes'].map((head) => policyOf(head));
  assert.deepEqual(policiesDifferences(module!, routes!).map(printDifference), [
    'policy: keyRemoval module → routes: the module leaves keys in requests, and routing tables take them off',
  ]);
  assert.deepEqual(policiesDifferences(routes!, module!).map(printDifference), [
    'policy: keyRemoval routes → module: the module takes keys off requests itself',
  ]);
});

test('explain says that the upstream gets no key, where routes remove it', async () => {
  const { out } = await tollgate([
    'explain',
    scratchFile(folder, policyText('keyRemoval: routes\nmode: observe', '[]')),
    ...['--request', 'GET https://api.example.com/toys', '--header', 'x_api_key: a-secret', '--json'],
  ]);
  assert.deepEqual((JSON.parse(out) as Story).headers.removed, ['x_api_key']);
});
