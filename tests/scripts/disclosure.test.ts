import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { digest } from '../../harness/config.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';
import { describe, withLogFields, type AccessEntry } from '../../scripts/envoy/accessLog.ts';
import { routeTableOf } from '../../scripts/envoy/resource.ts';
import { snapshotOf, union } from '../../scripts/envoy/snapshot.ts';
import { emitResources, type FailStrategy, type Resource } from '../../scripts/istio/index.ts';
import { noticesOf } from '../../scripts/istio/notice.ts';
import { compilePolicy, readPolicy, type Policy } from '../../scripts/policy/index.ts';
import { routesIn } from '../../scripts/verify/expected.ts';
import { tollgate } from './fakeIo.ts';

const IMAGE = `oci://registry.example/tollgate@sha256:${'ab'.repeat(32)}`;
const GATEWAY =
  '{ gateway: { namespace: istio-system, selector: { istio: ingressgateway }, gateways: [istio-system/ingress] } }';
const MODERN = '{ gatewayApi: { namespace: edge, kind: Gateway, name: gw } }';
const V1 = 'service: { host: v1.edge.svc.cluster.local, port: 80 }, url: "http://127.0.0.1:9001"';

function text(head = '', target = GATEWAY): string {
  return `policy: shop
${head}
targets: [${target}]
upstreams: { v1: { ${V1} } }
apis:
  pets: { paths: [/v1], anonymous: allow, upstream: v1 }
  toys: { hosts: [toys.example.com], paths: [/toys], anonymous: allow, upstream: v1 }
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

interface Table {
  http: { name: string; match?: unknown; route?: { destination: { host: string } }[] }[];
}

test('a policy that says what it would do anyway compiles to the same bytes', () => {
  const usual = JSON.stringify(compilePolicy(policyOf(text())));
  for (const same of [
    'identityHeaders: [route, plan, consumer]',
    'identityHeaders: { plan: x-tollgate-plan, route: x-tollgate-route, consumer: x-tollgate-consumer }',
    'rateLimitHeaders: standard',
    'accessLog: { line: true }',
  ])
    assert.equal(JSON.stringify(compilePolicy(policyOf(text(same)))), usual, same);
  const { identityHeaders, accessLog, rateLimitHeaders } = compilePolicy(
    policyOf(
      text(
        'identityHeaders: { keyId: x-key-id, consumer: x-user }\naccessLog: { fields: [plan], line: false }\nrateLimitHeaders: none',
      ),
    ),
  );
  assert.equal(JSON.stringify(identityHeaders), '{"consumer":"x-user","keyId":"x-key-id"}');
  assert.deepEqual([accessLog, rateLimitHeaders], [{ line: false, fields: ['plan'] }, 'none']);
});

test('where no request names its route, the tables send what passes to the one upstream', () => {
  for (const head of ['identityHeaders: []', 'identityHeaders: { route: x-caller, consumer: x-caller }']) {
    const table = resources(text(head)).find(({ kind }) => kind === 'VirtualService')!.spec as Table;
    assert.deepEqual(
      table.http.map(({ name, match, route }) => [name, match, route?.[0]?.destination.host]),
      [['unmatched', undefined, 'v1.edge.svc.cluster.local']],
    );
    const modern = resources(text(head, MODERN)).find(({ kind }) => kind === 'HTTPRoute')!.spec as {
      rules: { matches: object[]; backendRefs: { name: string }[] }[];
    };
    assert.deepEqual(
      modern.rules.map(({ matches, backendRefs }) => [matches, backendRefs[0]!.name]),
      [[[{ path: { type: 'PathPrefix', value: '/' } }], 'v1']],
    );
    const { routes, ungated } = snapshotOf(policyOf(text(head)), {});
    assert.deepEqual([routes, ungated], [[], 'v1']);
  }
});

test('tables of before and after serve both, whichever the plugin knows', () => {
  const [told, untold] = [text(), text('identityHeaders: []')].map((source) => snapshotOf(policyOf(source), {}));
  for (const both of [union(told!, untold!), union(untold!, told!)]) {
    const { routes, ungated } = both;
    assert.deepEqual([routes.map(({ name }) => name), ungated], [['pets/default', 'toys/default'], 'v1']);
    assert.match(JSON.stringify(routeTableOf(both)), /"present_match":false/);
  }
});

test('emit keeps the way of requests that name no route beside the new table, until it is forgotten', async () => {
  for (const target of [GATEWAY, MODERN]) {
    const folder = scratchFolder();
    const out = join(folder, 'out');
    const emit = async (source: string, ...options: string[]): Promise<string> => {
      const { code, err } = await tollgate([
        ...['emit', scratchFile(folder, source), '--image', IMAGE, '-o', out],
        ...options,
      ]);
      assert.equal(code, 0, err);
      const table = readdirSync(out).find((name) => /virtualservice|httproute/.test(name))!;
      return readFileSync(join(out, table), 'utf8');
    };
    const hasRest = (table: string): boolean => /unmatched|PathPrefix/.test(table);
    assert.equal(hasRest(await emit(text('', target))), false);
    const untold = await emit(text('identityHeaders: []', target));
    assert.equal(hasRest(untold), true);
    // the plugin of before still names its route, and finds the same upstream by it or without
    assert.match(untold, /pets\/default/);
    assert.equal(hasRest(await emit(text('', target))), true);
    assert.equal(hasRest(await emit(text('', target), '--forget')), false);
  }
});

test('with FAIL_OPEN a gateway removes forged headers under the names of the policy, in every spelling', () => {
  const source = text('identityHeaders: { consumer: x-user_name, plan: x.plan, route: x-tollgate-route }');
  const guard = JSON.stringify(resources(source, 'FAIL_OPEN').find(({ kind }) => kind === 'EnvoyFilter'));
  const patterns = [...guard.matchAll(/"regex":"([^"]+)"/g)].map(([, regex]) => JSON.parse(`"${regex}"`) as string);
  assert.deepEqual(patterns, ['x[-_]tollgate[-_].*', 'x[-_]user[-_]name', 'x\\.plan']);
});

test('nobody is told to match on a header that is not there', () => {
  const untold = policyOf(text('identityHeaders: []'));
  assert.deepEqual(noticesOf(untold, { image: IMAGE }, []), []);
  assert.deepEqual(routesIn(compilePolicy(untold)), []);
  assert.deepEqual(routesIn(compilePolicy(policyOf(text()))), ['pets/default', 'toys/default']);
});

test('explain tells the caller and the quotas, whatever the policy tells upstreams and callers', async () => {
  const folder = scratchFolder();
  const file = scratchFile(
    folder,
    `policy: shop
identityHeaders: { keyId: x-key-id }
rateLimitHeaders: none
accessLog: { line: false }
upstreams: { v1: { ${V1} } }
apis:
  pets: { paths: [/v1], plans: [free], upstream: v1 }
plans: { free: { quotas: { hourly: { limit: 10, window: hour } } } }
consumers: { acme: { plan: free, keys: [{ id: k1, digest: "sha256:${digest('explained')}" }] } }
`,
  );
  const { code, out, err } = await tollgate([
    'explain',
    file,
    '--request',
    'http://a.test/v1',
    '--header',
    'x-api-key: explained',
    '--json',
  ]);
  assert.equal(code, 0, err);
  const story = JSON.parse(out) as {
    reason: string;
    quotas: { name: string; remaining: number }[];
    headers: { set: { name: string; value: string | null }[] };
    reply: { headers: [string, string][] };
  };
  assert.equal(story.reason, 'allowed');
  assert.deepEqual(
    story.quotas.map(({ name, remaining }) => [name, remaining]),
    [['hourly', 9]],
  );
  assert.deepEqual(
    story.headers.set.filter(({ name }) => name.startsWith('x-')),
    [{ name: 'x-key-id', value: 'k1' }],
  );
  assert.deepEqual(story.reply.headers, []);
});

test('run shows what the fields say where there is no line', () => {
  const policy = withLogFields(policyOf(text('accessLog: { line: false }')));
  assert.equal(policy.accessLog?.line, false);
  assert.ok(policy.accessLog?.fields?.includes('reason'));
  const entry: AccessEntry = {
    time: '2026-01-15T12:00:00.000Z',
    method: 'GET',
    path: '/v1/pets',
    protocol: 'HTTP/1.1',
    status: 200,
    grpcStatus: null,
    details: 'via_upstream',
    flags: '-',
    durationMs: 1,
    upstream: 'v1',
    tollgate: null,
    fields: {
      reason: 'allowed',
      api: 'pets',
      consumer: 'acme',
      keyId: 'k1',
      plan: 'free',
      quota: 'hourly',
      remaining: 9,
    },
  };
  assert.equal(
    describe(entry),
    '12:00:00 GET /v1/pets 200 1 ms reason=allowed api=pets consumer=acme key=k1 plan=free quota=hourly remaining=9',
  );
});
