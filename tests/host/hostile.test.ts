import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fullConfig } from './badConfigs.ts';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { type Context, type Plugin, newRoot, Vm } from '../../scripts/host/vm.ts';
import { Stream, type Pair } from '../../scripts/host/stream.ts';
import { Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { Process } from '../../scripts/host/process.ts';
import { Random } from '../../harness/random.ts';

const module = loadModule(modulePath);
const QUOTAS = [{ name: 'q', limit: 1_000_000, window: 'hour' }];
const GOOD = JSON.stringify(pluginConfig(QUOTAS));
const REQUEST: Pair[] = [
  [':authority', 'a.test'],
  [':path', '/v1/pets'],
  [':method', 'GET'],
  ['x-api-key', KEY],
];

function statusOf(host: Host, headers: Pair[] = REQUEST): string | undefined {
  return host.request(headers).response.first(':status');
}

function plugin(configuration: string | Buffer): Plugin {
  return { name: 'tollgate', rootId: 'tollgate', configuration: Buffer.from(configuration) };
}

describe('callbacks out of order', () => {
  it('answer not_configured where no config was taken', () => {
    const process = new Process(Date.UTC(2026, 0, 1));
    const vm = new Vm(module, process, 'vm');
    assert.equal(vm.startRoot(plugin('{}')), null);
    const root = newRoot(77, plugin(''));
    const stream = new Stream(REQUEST);
    const context = vm.openStream(root, stream);
    vm.call(context, 'proxy_on_request_headers', context.id, REQUEST.length, 1);
    assert.equal(stream.localResponse?.status, 503);
    assert.match(stream.localResponse?.details ?? '', /not_configured/);
    assert.deepEqual(process.faults, []);
  });

  it('never trap, in ten thousand random calls with unknown ids', () => {
    const random = new Random(4242);
    const host = new Host(module);
    const generation = host.load(GOOD)!;
    const vm = host.workers[0]!;
    const root = generation.roots.get(vm)!;
    vm.strict = false;
    const ids = [0, 1, 2, 3, 64, 65, 128, 4096, 4097, 0x7fffffff, 0xffffffff, root.id];
    for (let i = 0; i < 10_000; i++) {
      const id = random.pick(ids);
      const stream = random.chance(0.8) ? new Stream(random.chance(0.5) ? REQUEST : []) : null;
      const context: Context | null = random.chance(0.9) ? { id, root, stream, ended: false } : null;
      if (stream && random.chance(0.5)) stream.response = stream.request;
      const call = random.pick([
        'context_create',
        'vm_start',
        'tick',
        'request_headers',
        'response_headers',
        'configure',
      ] as const);
      if (call === 'configure') vm.configure(id, plugin(random.pick([GOOD, '', '{}', GOOD.slice(0, 99)])));
      else vm.call(context, `proxy_on_${call}`, id, random.pick(ids), random.below(2));
      assert.deepEqual(host.faults, [], `call ${i}: ${call}(${id})`);
    }
    vm.strict = true;
    assert.equal(host.load(GOOD.replace('"/v1"', '"/v1","/other"')) !== null, true);
    assert.equal(statusOf(host), '200');
  });

  it('keep a thousand streams apart that are open at once', () => {
    const host = new Host(module);
    const generation = host.load(JSON.stringify(pluginConfig(QUOTAS, { consumers: 2 })))!;
    const vm = host.workers[0]!;
    const root = generation.roots.get(vm)!;
    const open = Array.from({ length: 1000 }, (_, i) => {
      const headers: Pair[] = i % 3 === 0 ? REQUEST.slice(0, 3) : REQUEST;
      const stream = new Stream(headers);
      const context = vm.openStream(root, stream);
      vm.call(context, 'proxy_on_request_headers', context.id, headers.length, 1);
      return { stream, context };
    });
    for (const { stream, context } of open.reverse()) {
      stream.requestVisible = stream.localResponse !== null;
      stream.response = new Stream([[':status', '200']]).request;
      vm.call(context, 'proxy_on_response_headers', context.id, 1, 0);
      const expected = stream.localResponse === null ? 1 : 0;
      assert.equal(stream.response.all('ratelimit').length, expected, `stream ${context.id}`);
    }
    assert.deepEqual(host.faults, []);
  });
});

describe('hostile requests', () => {
  const PIECES = [
    '/',
    '//',
    '..',
    '.',
    '%2e',
    '%2E',
    '%2f',
    '%00',
    '%',
    '%zz',
    '\\',
    ';',
    '..;',
    'v1',
    'V1',
    'pets',
    '?',
    '&',
    '=',
    'api_key=',
    '#',
    ' ',
    '\0',
    '\u00ff',
    '*',
  ];
  const NAMES = [
    ':path',
    ':authority',
    ':method',
    'x-api-key',
    'authorization',
    'cookie',
    'content-type',
    'origin',
    'access-control-request-method',
    'x-tollgate-consumer',
    'x_tollgate_plan',
    'x-a',
    '',
  ];
  const VALUES = [
    '',
    KEY,
    `Bearer ${KEY}`,
    `api_key=${KEY}; a=b`,
    'application/grpc',
    'OPTIONS',
    'a.test',
    '[::1]:80',
    ';;;===',
    ', ,',
    'Bearer',
    'Bearer  ',
  ];

  it('never trap, nor pass without a key, in twenty thousand random requests', () => {
    const random = new Random(20260115);
    const host = new Host(module);
    assert.ok(
      host.load(JSON.stringify({ ...fullConfig(), mode: 'enforce', consumers: [{ name: 'acme' }] })),
      host.logs('error').join(),
    );
    for (let i = 0; i < 20_000; i++) {
      const path = Array.from({ length: random.below(12) }, () => random.pick(PIECES)).join('');
      const headers: Pair[] = [
        [':authority', random.pick(['api.example.com', 'x.example.com', '', random.bytes(20)])],
        [':path', path],
        [':method', 'GET'],
      ];
      for (let n = random.below(8); n > 0; n--) {
        headers.push([random.pick(NAMES), random.chance(0.7) ? random.pick(VALUES) : random.bytes(200)]);
      }
      if (random.chance(0.1)) headers.splice(random.below(3), 1);
      const exchange = host.request(headers);
      const reason = /reason=(\w+)/.exec(exchange.filterState.get('wasm.tollgate') ?? '')?.[1];
      assert.deepEqual(host.faults, [], `request ${i}: ${JSON.stringify(headers)}`);
      // There are no keys: only a preflight may pass.
      assert.ok(
        exchange.upstream === null || reason === 'preflight',
        `request ${i} passed: ${JSON.stringify(headers)}`,
      );
    }
  });

  it('never trap on header maps of any size', () => {
    const host = new Host(module);
    assert.ok(host.load(GOOD));
    const random = new Random(7);
    const maps: Pair[][] = [
      [],
      [['', '']],
      Array.from({ length: 1000 }, (_, i): Pair => [`x-${i}`, 'v']),
      Array.from({ length: 1000 }, (): Pair => ['x-api-key', KEY]),
      Array.from({ length: 1000 }, (): Pair => ['cookie', `a=${'b'.repeat(50)}; api_key=`]),
      Array.from({ length: 500 }, (_, i): Pair => [`x-tollgate-${i}`, 'v']),
      [['x', 'y'.repeat(900_000)]],
      [['x'.repeat(60_000), '']],
      [
        [':path', `/${'../'.repeat(20_000)}`],
        [':authority', 'a'],
        [':method', 'GET'],
      ],
      [
        [':path', `/v1/${'%'.repeat(60_000)}`],
        [':authority', 'a'],
        [':method', 'GET'],
      ],
      [
        [':path', `/v1?${'&'.repeat(60_000)}`],
        [':authority', 'a'.repeat(60_000)],
        [':method', 'M'.repeat(60_000)],
      ],
      [
        [':path', `/v1?${'api_key=&'.repeat(6_000)}`],
        [':authority', 'a'],
        [':method', 'GET'],
      ],
    ];
    for (const headers of maps) {
      host.request(headers);
      assert.deepEqual(host.faults, [], JSON.stringify(headers).slice(0, 100));
    }
    for (let i = 0; i < 200; i++) {
      host.request(Array.from({ length: random.below(300) }, (): Pair => [random.bytes(40), random.bytes(500)]));
      assert.deepEqual(host.faults, []);
    }
    assert.equal(statusOf(host), '200');
  });

  it('lose no identity header whatever its spelling', () => {
    const random = new Random(99);
    const host = new Host(module);
    assert.ok(host.load(GOOD));
    for (let i = 0; i < 2000; i++) {
      const headers: Pair[] = [...REQUEST];
      for (let n = 1 + random.below(6); n > 0; n--) {
        const name = [...'x-tollgate-consumer']
          .map((letter) => (letter === '-' && random.chance(0.4) ? '_' : letter))
          .join('');
        headers.splice(random.below(headers.length), 0, [random.chance(0.5) ? name.toUpperCase() : name, 'root']);
      }
      const { upstream } = host.request(headers);
      const seen = upstream!.pairs.filter(([name]) => name.replaceAll('_', '-') === 'x-tollgate-consumer');
      assert.deepEqual(seen, [['x-tollgate-consumer', 'acme']], JSON.stringify(headers));
    }
  });
});
