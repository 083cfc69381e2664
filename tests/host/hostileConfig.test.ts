import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BAD_CONFIGS, fullConfig } from './badConfigs.ts';
import { KEY, keyOf, pluginConfig } from '../../harness/config.ts';
import { type Plugin, Vm } from '../../scripts/host/vm.ts';
import type { Pair } from '../../scripts/host/stream.ts';
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

describe('a bad plugin config', () => {
  for (const { what, config, names } of BAD_CONFIGS) {
    it(`is refused with a message that names the place: ${what}`, () => {
      const host = new Host(module);
      assert.ok(host.load(GOOD));
      host.process.logs.length = 0;
      assert.equal(host.load(config), null, 'it was taken');
      assert.deepEqual(host.faults, []);
      const errors = host.logs('error');
      assert.equal(errors.length, 1, `one log line, got ${JSON.stringify(host.logs())}`);
      assert.match(errors[0]!, /plugin config: /);
      assert.match(errors[0]!, names);
      assert.ok(errors[0]!.length < 400, `a message of ${errors[0]!.length} bytes`);
      assert.ok(!errors[0]!.includes('acme-secret-key'), 'the message holds a key');
      assert.equal(statusOf(host), '200', 'the old config serves on');
    });
  }

  it('is refused in a root that already serves, which then serves on', () => {
    const host = new Host(module);
    const generation = host.load(GOOD)!;
    const vm = host.workers[0]!;
    const root = generation.roots.get(vm)!;
    for (const { what, config } of BAD_CONFIGS) {
      assert.equal(vm.configure(root.id, plugin(config)), false, what);
      assert.equal(statusOf(host), '200', what);
    }
    assert.deepEqual(host.faults, []);
  });
});

describe('a good plugin config', () => {
  it('may use every field', () => {
    const host = new Host(module);
    assert.ok(host.load(JSON.stringify(fullConfig())), host.logs('error').join());
  });

  it('may be pretty-printed, in any order of keys, with numbers as doubles print', () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([name, part]) => [name, reversed(part)]),
      );
    };
    const text = JSON.stringify(reversed(fullConfig()), null, 2)
      .replace('"limit": 20000', '"limit": 2e+04')
      .replace('"version": 1', '"version": 1.0');
    const host = new Host(module);
    assert.ok(host.load(text), host.logs('error').join());
  });

  it('takes a limit of 1e6 and of 2^53', () => {
    for (const limit of ['1e6', '1E+06', '1000000.0', '9007199254740992', '9.007199254740992e15']) {
      const host = new Host(module);
      assert.ok(
        host.load(GOOD.replace('"limit":1000000', `"limit":${limit}`)),
        `${limit}: ${host.logs('error').join()}`,
      );
      const limitShown = host.request(REQUEST).response.first('ratelimit-policy');
      assert.equal(limitShown, `"q";q=${Math.min(Number(limit), 999_999_999_999_999)};w=3600`);
    }
  });

  it('may be larger than a megabyte', () => {
    const config = JSON.stringify(pluginConfig(QUOTAS, { consumers: 10_000 }));
    assert.ok(config.length > 1 << 20);
    const host = new Host(module);
    assert.ok(host.load(config), host.logs('error').join());
    for (const consumer of [0, 1, 4999, 9999]) {
      assert.equal(statusOf(host, [...REQUEST.slice(0, 3), ['x-api-key', keyOf(consumer)]]), '200');
    }
    assert.deepEqual(host.faults, []);
  });

  it('may be set twice on one root, the later one in force', () => {
    const host = new Host(module);
    const generation = host.load(GOOD)!;
    const vm = host.workers[0]!;
    assert.ok(vm.configure(generation.roots.get(vm)!.id, plugin(GOOD.replace('"/v1"', '"/v2"'))));
    assert.equal(statusOf(host), '404');
    assert.deepEqual(host.faults, []);
  });
});

describe('hostile plugin configs', () => {
  it('never trap, in three thousand random mutations of a good one', () => {
    const random = new Random(31337);
    const process = new Process(Date.UTC(2026, 0, 1));
    const vm = new Vm(module, process, 'vm');
    const good = Buffer.from(JSON.stringify(fullConfig()));
    const root = vm.startRoot(plugin(good))!;
    let taken = 0;
    for (let i = 0; i < 3000; i++) {
      const config = mutated(good, random);
      if (vm.configure(root.id, plugin(config))) taken++;
      assert.deepEqual(process.faults, [], `mutation ${i}: ${config.toString('latin1')}`);
      process.logs.length = 0;
    }
    assert.ok(taken < 3000 && vm.memory.byteLength < 64 << 20, `${taken} taken, memory ${vm.memory.byteLength}`);
    assert.ok(vm.configure(root.id, plugin(good)));
  });
});

const TOKENS = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  'null',
  'true',
  '0',
  '-1',
  '1e9',
  '""',
  '"\\ud800"',
  '{}',
  '[]',
  '\u0000',
  '\u00ff',
];

/** Bytes removed, doubled, overwritten, or a token put in; sometimes several times. */
function mutated(good: Buffer, random: Random): Buffer {
  let config = good;
  for (let n = 1 + random.below(3); n > 0; n--) {
    const at = random.below(config.length);
    const span = random.below(random.pick([2, 8, 80]));
    const before = config.subarray(0, at);
    const after = config.subarray(Math.min(config.length, at + span));
    const middle = random.pick([
      () => Buffer.alloc(0),
      () => Buffer.concat([config.subarray(at, at + span), config.subarray(at, at + span)]),
      () => Buffer.from(random.pick(TOKENS), 'latin1'),
      () => Buffer.from(random.bytes(span), 'latin1'),
    ])();
    config = Buffer.concat([before, middle, after]);
  }
  return config;
}
