import assert from 'node:assert/strict';
import { describe as group, it } from 'node:test';
import { describe, flatten, parseEntry, type AccessEntry } from '../../scripts/envoy/accessLog.ts';
import { describeChange } from '../../scripts/envoy/policyServer.ts';
import { clusterOf, routeTableOf } from '../../scripts/envoy/resource.ts';
import { burstLine, curlLine, curlLines } from '../../scripts/envoy/curl.ts';
import { type LocalUpstream, type RoutedPolicy, snapshotOf, union } from '../../scripts/envoy/snapshot.ts';
import type { PluginConfig, Tls } from '../../scripts/policy/index.ts';

const POLICY: RoutedPolicy = {
  upstreams: { v1: { url: 'http://127.0.0.1:9001' }, v2: { url: 'http://pets.local' } },
  apis: { petstore: { upstream: 'v1', routes: [{ name: 'two', upstream: 'v2' }, { name: 'same' }] }, bare: {} },
};

group('what is generated for Envoy', () => {
  it('gives every route of an API its upstream, the default one last', () => {
    const { routes, upstreams, ungated } = snapshotOf(POLICY, {});
    assert.deepEqual(
      routes.map(({ name, upstream }) => `${name} ${upstream}`),
      ['petstore/two v2', 'petstore/same v1', 'petstore/default v1'],
    );
    assert.deepEqual(upstreams, [
      { name: 'v1', host: '127.0.0.1', port: 9001 },
      { name: 'v2', host: 'pets.local', port: 80 },
    ]);
    assert.equal(ungated, null);
  });

  it('sends what matches no API to the first upstream when the policy lets it pass, and nowhere otherwise', () => {
    assert.equal(snapshotOf({ ...POLICY, unmatched: 'allow' }, {}).ungated, 'v1');
    assert.equal(snapshotOf({ ...POLICY, mode: 'observe' }, {}).ungated, 'v1');
    assert.match(
      JSON.stringify(routeTableOf(snapshotOf({ ...POLICY, unmatched: 'allow' }, {}))),
      /"present_match":false\}\]\},"route":\{"cluster":"v1"/,
    );
    assert.equal(JSON.stringify(routeTableOf(snapshotOf(POLICY, {}))).includes('present_match'), false);
  });

  it('accepts other URLs for upstreams, and refuses what is not a URL', () => {
    assert.equal(snapshotOf(POLICY, {}, new Map([['v1', 'http://[::1]:3000']])).upstreams[0]?.host, '::1');
    for (const url of ['ftp://a', 'http://a/path', 'http://u@a', 'a:80', ''])
      assert.throws(
        () => snapshotOf(POLICY, {}, new Map([['v1', url]])),
        /upstream v1: a URL is http:\/\/HOST:PORT, h2c:/,
      );
  });

  it('speaks what the scheme of a URL says, on its usual port, and verifies the certificate of its host', () => {
    const asked: (string | undefined)[] = [];
    const trust = { authorities: (_: string, file: string | undefined) => String(asked.push(file)) };
    const at = (url: string, tls?: Tls): object =>
      snapshotOf({ upstreams: { v1: { url, ...(tls && { tls }) } }, apis: {} }, {}, new Map(), null, trust)
        .upstreams[0]!;
    assert.deepEqual(at('h2c://a'), { name: 'v1', host: 'a', port: 80, protocol: 'h2c' });
    assert.deepEqual(at('https://a'), {
      ...{ name: 'v1', host: 'a', port: 443, protocol: 'https' },
      tls: { serverName: 'a', authorities: '1' },
    });
    assert.deepEqual(at('https://[::1]:8443', { ca: 'ca.pem', serverName: 'b' }), {
      ...{ name: 'v1', host: '::1', port: 8443, protocol: 'https' },
      tls: { serverName: 'b', authorities: '2' },
    });
    assert.match(JSON.stringify(at('https://a', { insecure: true })), /"authorities":null/);
    assert.deepEqual(asked, [undefined, 'ca.pem']);
    const address = JSON.stringify(clusterOf(at('https://127.0.0.1') as LocalUpstream));
    assert.match(address, /"san_type":"IP_ADDRESS","matcher":\{"exact":"127\.0\.0\.1"\}/);
    assert.doesNotMatch(address, /"sni"/);
  });

  it('asks DNS only for names', () => {
    assert.match(JSON.stringify(clusterOf({ name: 'a', host: '::1', port: 80 })), /"type":"STATIC"/);
    assert.match(
      JSON.stringify(clusterOf({ name: 'a', host: 'localhost', port: 80 })),
      /"type":"LOGICAL_DNS","dns_lookup_family":"ALL"/,
    );
  });

  it('keeps old routes and upstreams during an edit, the new ones winning', () => {
    const old = snapshotOf(POLICY, { old: true });
    const next = snapshotOf(
      {
        upstreams: { v1: { url: 'http://127.0.0.1:9' }, v3: { url: 'http://c' } },
        apis: { petstore: { upstream: 'v3' } },
      },
      {},
    );
    const both = union(old, next);
    assert.deepEqual(
      both.upstreams.map(({ name, port }) => `${name}:${port}`),
      ['v1:9', 'v3:80', 'v2:80'],
    );
    assert.deepEqual(
      both.routes.map(({ name, upstream }) => `${name} ${upstream}`),
      ['petstore/default v3', 'petstore/two v2', 'petstore/same v1'],
    );
  });
});

group('what is printed', () => {
  const entry: AccessEntry = {
    time: '2026-01-31T23:59:58.123Z',
    method: 'GET',
    path: '/v1',
    protocol: 'HTTP/1.1',
    status: 200,
    grpcStatus: null,
    details: 'via_upstream',
    flags: '-',
    durationMs: 3,
    upstream: 'v1',
    tollgate: 'reason=allowed api=petstore',
    fields: {},
  };

  it('shows an access log entry on one line', () => {
    assert.equal(describe(entry), '23:59:58 GET /v1 200 3 ms reason=allowed api=petstore');
    assert.equal(
      describe({ ...entry, grpcStatus: 16, details: 'tollgate_missing_api_key', tollgate: 'reason=missing_api_key' }),
      '23:59:58 GET /v1 200 grpc 16 3 ms reason=missing_api_key',
    );
    assert.equal(
      describe({ ...entry, method: null, path: null, status: 400, details: 'http1.codec_error', tollgate: null }),
      '23:59:58 - - 400 3 ms http1.codec_error',
    );
    const fields = { quota: 'monthly', remaining: 0 };
    assert.equal(
      describe({ ...entry, fields }),
      '23:59:58 GET /v1 200 3 ms reason=allowed api=petstore quota=monthly remaining=0',
    );
  });

  it('has a member for each field in JSON, null where there is none', () => {
    const none = { reason: null, api: null, operation: null, route: null, consumer: null, keyId: null, plan: null };
    const { fields, ...plain } = entry;
    assert.deepEqual(fields, {});
    assert.deepEqual(flatten(entry), { ...plain, ...none, quota: null, remaining: null, host: null, mode: null });
    assert.deepEqual(flatten({ ...entry, fields: { reason: 'allowed', remaining: 0, host: 'a.test' } }), {
      ...plain,
      ...none,
      reason: 'allowed',
      quota: null,
      remaining: 0,
      host: 'a.test',
      mode: null,
    });
  });

  it('lets no byte of a client steer the terminal', () => {
    assert.equal(
      describe({ ...entry, path: '/\u001b[31m\u009b\n' }),
      '23:59:58 GET /\\u001b[31m\\u009b\\u000a 200 3 ms reason=allowed api=petstore',
    );
  });

  it('recognises only real entries', () => {
    assert.deepEqual(parseEntry(JSON.stringify(entry)), entry);
    for (const line of ['', 'starting', '{"a":1}', 'null', '7']) assert.equal(parseEntry(line), null);
  });

  it('says what an edit changed, by name', () => {
    const old = {
      unmatched: 'deny',
      plans: [{ name: 'free', limit: 1 }, { name: 'gold' }],
      consumers: [{ name: 'a' }, { name: 'b' }],
    };
    assert.equal(
      describeChange(old, { ...old, plans: [{ name: 'free', limit: 2 }, { name: 'new' }] }),
      'plan free changed, plan new added, plan gold removed',
    );
    assert.equal(
      describeChange(old, { ...old, consumers: [{ name: 'b' }, { name: 'a' }] }),
      'order of consumers changed',
    );
    assert.equal(describeChange(old, { ...old, unmatched: 'allow' }), 'unmatched changed');
    assert.equal(describeChange(old, structuredClone(old)), 'same effect as before');
  });

  it('prints a command line with a key for an API that knows keys, and none where there is none', () => {
    const open = { name: 'open', paths: ["/it's"], plans: [], anonymous: 'allow' as const };
    const config = {
      version: 1 as const,
      policy: 'p',
      keySources: [{ header: 'x-api-key' }],
      apis: [open],
      plans: [],
      consumers: [],
    };
    const anonymous = "curl -i 'http://127.0.0.1:80/it'\\''s'";
    assert.deepEqual(curlLines(config, 80, 'KEY'), [anonymous]);
    assert.deepEqual(
      curlLines({ ...config, apis: [open, { name: 'gated', paths: ['/v1'], plans: ['free'] }] }, 80, 'KEY'),
      [anonymous, "curl -i -H 'x-api-key: KEY' http://127.0.0.1:80/v1"],
    );
  });

  it('prints command lines that put the key where the policy looks first', () => {
    const config = {
      version: 1 as const,
      policy: 'p',
      apis: [{ name: 'a', hosts: ['*.example.com'], paths: ['/v1'], plans: ['free'] }],
      plans: [],
      consumers: [],
    };
    const line = (source: PluginConfig['keySources'][number]): string | undefined =>
      curlLines({ ...config, keySources: [source] }, 80, 'KEY')[1];
    assert.equal(
      line({ header: 'x-api-key' }),
      "curl -i -H 'host: www.example.com' -H 'x-api-key: KEY' http://127.0.0.1:80/v1",
    );
    assert.equal(
      line({ authorization: 'Bearer' }),
      "curl -i -H 'host: www.example.com' -H 'authorization: Bearer KEY' http://127.0.0.1:80/v1",
    );
    assert.equal(line({ query: 'k' }), "curl -i -H 'host: www.example.com' 'http://127.0.0.1:80/v1?k=KEY'");
    assert.equal(line({ cookie: 'k' }), "curl -i -H 'host: www.example.com' -H 'cookie: k=KEY' http://127.0.0.1:80/v1");
    assert.equal(
      line({ cookie: "k'" }),
      "curl -i -H 'host: www.example.com' -H 'cookie: k'\\''=KEY' http://127.0.0.1:80/v1",
    );
    const call = { port: 80, host: null, path: '/', headers: {} };
    assert.equal(curlLine(call), 'curl -i http://127.0.0.1:80/');
    assert.equal(
      burstLine(2, call),
      "for i in $(seq 2); do curl -s -o /dev/null -w '%{http_code} ' http://127.0.0.1:80/; done",
    );
  });
});
