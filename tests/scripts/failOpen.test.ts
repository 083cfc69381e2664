import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emitResources, type FailStrategy, type Resource } from '../../scripts/istio/index.ts';
import { openMatches, openRulesOf } from '../../scripts/istio/failOpen.ts';
import { readPolicy, type Policy } from '../../scripts/policy/index.ts';
import { tollgate } from './fakeIo.ts';

const IMAGE = `oci://registry.example/tollgate@sha256:${'ab'.repeat(32)}`;
const GATEWAY =
  '{ gateway: { namespace: istio-system, selector: { istio: ingressgateway }, gateways: [istio-system/ingress] } }';
const MODERN = '{ gatewayApi: { namespace: edge, kind: Gateway, name: gw } }';

function text(target: string, toysUpstream = 'v2'): string {
  return `policy: shop
targets: [${target}]
upstreams: { v1: { service: { host: v1.edge.svc.cluster.local, port: 80 } }, v2: { service: { host: v2.edge.svc.cluster.local, port: 80 } } }
apis:
  pets: { paths: [/, /v1], anonymous: allow, upstream: v1 }
  toys: { hosts: [api.example.com, "*.toys.example.com"], paths: [/toys], anonymous: allow, upstream: ${toysUpstream} }
`;
}

function policyOf(source: string): Policy {
  const { policy, problems } = readPolicy(source, 'shop.policy.yaml');
  assert.deepEqual(problems, []);
  return policy!;
}

function resources(source: string, failStrategy?: FailStrategy): Resource[] {
  return emitResources(policyOf(source), { image: IMAGE, failStrategy }).map(({ resource }) => resource);
}

const kinds = (all: readonly Resource[]): string[] => all.map(({ kind }) => kind);

test('only FAIL_OPEN has a guard and rules for unchecked requests', () => {
  for (const strategy of [undefined, 'FAIL_CLOSE', 'FAIL_RELOAD'] as const) {
    const all = resources(text(GATEWAY), strategy);
    assert.deepEqual([...new Set(kinds(all))], ['VirtualService', 'WasmPlugin']);
    assert.doesNotMatch(JSON.stringify(all), /unjudged/);
  }
  assert.deepEqual(
    [...new Set(kinds(resources(text(GATEWAY), 'FAIL_OPEN')))],
    ['EnvoyFilter', 'VirtualService', 'WasmPlugin'],
  );
});

test('unchecked requests find their API by host and path, the more specific host and then the longer path first', () => {
  const rules = openRulesOf(policyOf(text(GATEWAY)));
  assert.deepEqual(
    rules.map(({ api, host, path }) => [api, host, path]),
    [
      ['toys', 'api.example.com', '/toys'],
      ['toys', '*.toys.example.com', '/toys'],
      ['pets', null, '/v1'],
      ['pets', null, '/'],
    ],
  );
  assert.deepEqual(openMatches(rules[0]!), [
    { uri: { exact: '/toys' }, authority: { regex: '(?i)api\\.example\\.com(:[0-9]+)?' } },
    { uri: { prefix: '/toys/' }, authority: { regex: '(?i)api\\.example\\.com(:[0-9]+)?' } },
  ]);
  assert.deepEqual(openMatches(rules[1]!)[0], {
    uri: { exact: '/toys' },
    authority: { regex: '(?i).+\\.toys\\.example\\.com(:[0-9]+)?' },
  });
  assert.deepEqual(openMatches(rules[3]!), [{ uri: { prefix: '/' } }]);
});

test('these rules come after every rule for a route, so that a working module is not bypassed', () => {
  const table = resources(text(GATEWAY), 'FAIL_OPEN')[1]!.spec as { http: { name: string }[] };
  assert.deepEqual(
    table.http.map(({ name }) => name),
    [
      'pets/default',
      'toys/default',
      'pets/unknown',
      'toys/unknown',
      'toys/unjudged',
      'toys/unjudged',
      'pets/unjudged',
      'pets/unjudged',
    ],
  );
});

test('an HTTPRoute has one such rule when all APIs lead to one upstream, and none otherwise', () => {
  const rest = (source: string): object[] =>
    (
      resources(source, 'FAIL_OPEN').find(({ kind }) => kind === 'HTTPRoute')!.spec as {
        rules: { matches: { path?: object }[] }[];
      }
    ).rules.filter(({ matches }) => matches[0]!.path !== undefined);
  assert.equal(rest(text(MODERN, 'v1')).length, 1);
  assert.equal(rest(text(MODERN)).length, 0);
});

test('the warning says what passes, per target', async () => {
  const warnings = async (source: string): Promise<string> =>
    (await tollgate(['emit', '-', '--image', IMAGE, '-o', '-', '--fail-strategy', 'FAIL_OPEN'], { stdin: source })).err;
  assert.equal(
    await warnings(text(GATEWAY)),
    'tollgate: warning: FAIL_OPEN: where the image cannot be pulled or a VM has died, requests pass unchecked, without key, quota or plan; a proxy that has had no valid config yet answers 500\n',
  );
  assert.match(
    await warnings(text(MODERN)),
    /FAIL_OPEN: target gateway-gw: unchecked requests get 404, because an HTTPRoute can send them to only one upstream/,
  );
  assert.doesNotMatch(await warnings(text(MODERN, 'v1')), /answered with 404/);
  assert.match(
    await warnings(text(`${GATEWAY}, { namespace: shop }`)),
    /FAIL_OPEN: target sidecars: unchecked requests keep whatever x-tollgate-… headers their callers wrote/,
  );
});
