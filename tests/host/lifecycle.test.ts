import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KEY, pluginConfig, type PluginConfig } from '../../harness/config.ts';
import { meterOf } from '../../harness/count/meter.ts';
import { Random } from '../../harness/random.ts';
import { Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import type { Pair } from '../../scripts/host/stream.ts';

const module = loadModule(modulePath);
const DEPRECATED = { deprecation: '@1', sunset: 'Fri, 01 Jan 2027 00:00:00 GMT', link: '</docs>; rel="deprecation"' };

function openHost(
  lifecycle: object,
  upstream: () => Pair[] = () => [[':status', '200']],
  config?: Partial<PluginConfig>,
): Host {
  const host = new Host(module, { upstream });
  const made = { ...pluginConfig([{ name: 'q', limit: 1_000_000_000, window: 'hour' }]), ...config };
  Object.assign(made.apis[0]!, lifecycle);
  assert.ok(host.load(JSON.stringify(made)), host.logs('error').join());
  return host;
}

function request(path: string, ...more: Pair[]): Pair[] {
  return [[':authority', 'a.test'], [':path', path], [':method', 'GET'], ...more];
}

describe('a deprecated API', () => {
  const upstream = (): Pair[] => [
    [':status', '200'],
    ['link', '</pets?page=2>; rel="next"'],
    ['deprecation', '@99'],
    ['sunset', 'theirs'],
  ];

  it('keeps the links of the upstream, and knows better what is deprecated', () => {
    const { response } = openHost({ deprecated: DEPRECATED }, upstream).request(request('/v1', ['x-api-key', KEY]));
    assert.deepEqual(response.all('link'), ['</pets?page=2>; rel="next"', '</docs>; rel="deprecation"']);
    assert.deepEqual(response.all('deprecation'), ['@1']);
    assert.deepEqual(response.all('sunset'), [DEPRECATED.sunset]);
    assert.equal(response.all('ratelimit').length, 1);
  });

  it('leaves a sunset of the upstream where the policy knows none', () => {
    const { response } = openHost({ deprecated: { deprecation: '@1' } }, upstream).request(
      request('/v1', ['x-api-key', KEY]),
    );
    assert.deepEqual(response.all('sunset'), ['theirs']);
    assert.deepEqual(response.all('link'), ['</pets?page=2>; rel="next"']);
  });

  it('shows nothing on the responses of a policy that was edited meanwhile', () => {
    const host = openHost({ deprecated: DEPRECATED });
    assert.ok(host.load(JSON.stringify(pluginConfig([]))));
    host.retireAllButNewest();
    host.pass(30_000);
    const { response } = host.request(request('/v1', ['x-api-key', KEY]));
    assert.deepEqual(response.all('deprecation'), []);
    assert.deepEqual(host.faults, []);
  });
});

describe('a redirect', () => {
  const KEY_SOURCES = { keySources: [{ query: 'api_key' }, { header: 'x-api-key' }] };

  it('leads where the policy says, whatever bytes the caller sends', () => {
    const random = new Random(20261127);
    const parts = [
      '/',
      '//',
      '\\',
      '%2f',
      '%5c',
      '.',
      '..',
      '@',
      ':',
      'evil.example',
      '?',
      '&',
      '#',
      ';',
      '%0d%0a',
      '\t',
      ' ',
      'é',
      '\u00ff',
      '"',
      `api_key=${KEY}`,
      '%61pi_key=',
      KEY,
      'https:',
    ];
    const seen = { redirected: 0, other: 0 };
    for (const to of ['/', '/new', 'https://b.test/', 'https://b.test/new']) {
      const host = openHost({ redirect: { to } }, undefined, KEY_SOURCES);
      for (let i = 0; i < 4000; i++) {
        const tail = Array.from({ length: random.below(8) }, () => parts[random.below(parts.length)]!).join('');
        const { response } = host.request(request(`/v1${tail}`));
        if (response.first(':status') !== '308') {
          seen.other++;
          assert.deepEqual(response.all('location'), []);
          continue;
        }
        seen.redirected++;
        const location = response.first('location')!;
        assert.match(location, /^[!$-;=?-Z_a-z~[\]]*$/, JSON.stringify(tail));
        const resolved = new URL(location, 'https://a.test/v1/x');
        assert.equal(
          resolved.host,
          to.startsWith('/') ? 'a.test' : 'b.test',
          `${JSON.stringify(tail)} leads to ${location}`,
        );
        assert.ok(resolved.pathname.startsWith(to.endsWith('new') ? '/new' : '/'));
        assert.ok(!resolved.searchParams.has('api_key'), `${JSON.stringify(tail)} leads to ${location}`);
      }
      assert.deepEqual(host.faults, []);
    }
    assert.ok(seen.redirected > 2000 && seen.other > 1000, JSON.stringify(seen));
  });

  it('takes a path and a query as long as a host lets through', () => {
    const host = openHost({ redirect: { to: '/new' } });
    const long = 'ü'.repeat(30_000);
    const { response } = host.request(request(`/v1/${Buffer.from(long).toString('latin1')}?${'"'.repeat(60_000)}`));
    assert.equal(response.first('location'), `/new/${'%C3%BC'.repeat(30_000)}?${'%22'.repeat(60_000)}`);
    assert.deepEqual(host.faults, []);
  });
});

describe('what a lifecycle answers', () => {
  const lifecycles = {
    retired: { retired: { detail: 'Gone.', link: '</new>; rel="sunset"' }, deprecated: DEPRECATED },
    maintenance: { maintenance: { until: 9_999_999_999 } },
    redirected: { redirect: { to: '/new' } },
    mocked: {
      mock: {
        status: 201,
        headers: Array.from({ length: 16 }, (_, i) => ({ name: `x-${i}`, value: 'v' })),
        body: 'b'.repeat(4096),
      },
      deprecated: DEPRECATED,
    },
  };
  for (const [reason, lifecycle] of Object.entries(lifecycles)) {
    it(`costs no more host calls than a refusal, and leaves the memory as it was: ${reason}`, () => {
      const host = openHost(lifecycle);
      const asked = request('/v1/pets?limit=10', ['x-api-key', KEY]);
      for (let i = 0; i < 2000; i++) host.request(asked);
      const worker = host.workers[0]!;
      const meter = meterOf(worker);
      const before = worker.memory.byteLength;
      meter.reset();
      const exchange = host.request(asked);
      assert.match(exchange.filterState.get('wasm.tollgate')!, new RegExp(`^reason=${reason}( |$)`));
      assert.ok(meter.hostCalls <= 4, meter.describe());
      if (reason === 'mocked') {
        assert.equal(exchange.response.all('x-15').length, 1);
        assert.equal(exchange.response.all('ratelimit').length, 1);
        assert.equal(exchange.response.all('link').length, 1);
        assert.equal(exchange.body.length, 4096);
      }
      for (let i = 0; i < 20_000; i++) host.request(asked);
      assert.equal(worker.memory.byteLength, before);
      assert.deepEqual(host.faults, []);
    });
  }
});
