import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digest, pluginConfig } from '../../harness/config.ts';
import { costOf, loadCounted } from '../../harness/count/cost.ts';
import { Random } from '../../harness/random.ts';
import { decisionOf } from '../../scripts/host/index.ts';
import { Host, type HostOptions } from '../../scripts/host/host.ts';
import type { Pair } from '../../scripts/host/stream.ts';

const module = loadCounted();
const MOST_KEY_BYTES = 256;

/** Keys by the names of their consumers. */
type Keys = Map<string, string>;

function configOf(keys: Keys, fields: Record<string, unknown> = {}): string {
  const consumers = [...keys].map(([name, key]) => ({
    name,
    plan: 'free',
    keys: [{ id: `of-${name}`, digest: digest(key), ...fields }],
  }));
  return JSON.stringify({ ...pluginConfig([]), consumers });
}

function opened(keys: Keys, options: HostOptions = {}): Host {
  const host = new Host(module, options);
  assert.ok(host.load(configOf(keys)), host.logs().join('\n'));
  return host;
}

const requestWith = (key: string): Pair[] => [
  [':authority', 'a.test'],
  [':path', '/v1/pets'],
  [':method', 'GET'],
  ['x-api-key', key],
];

/** Who the key belongs to, or why nobody. */
function callerOf(host: Host, key: string): string {
  const exchange = host.request(requestWith(key));
  assert.deepEqual(host.faults, []);
  const { reason, consumer } = decisionOf(exchange)!;
  return reason === 'allowed' ? consumer! : reason;
}

/** Printable characters that a key can have. */
function randomText(random: Random, length: number): string {
  return Array.from({ length }, () => String.fromCharCode(0x21 + random.below(94))).join('');
}

describe('a key that was right lately', () => {
  it('is nobody else, whatever keys look alike, in whatever order they come', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new Random(seed);
      // few beginnings, ends and lengths, so that most keys share them with others
      const [head, end] = [randomText(random, 8), randomText(random, 8)];
      const lengths = Array.from({ length: 4 }, () => 1 + random.below(MOST_KEY_BYTES));
      const draw = (): string => {
        const length = random.pick(lengths);
        const alike = `${head}${randomText(random, Math.max(0, length - 16))}${end}`;
        return random.chance(0.7) ? alike.slice(0, length) : randomText(random, length);
      };
      const keys: Keys = new Map();
      const owners = new Map<string, string>();
      for (let i = 0; i < 1 + random.below(300); i++) {
        const key = draw();
        if (owners.has(key)) continue;
        owners.set(key, `consumer-${i}`);
        keys.set(`consumer-${i}`, key);
      }
      const host = opened(keys);
      const all = [...keys.values()];
      for (let i = 0; i < 1500; i++) {
        const right = random.pick(all);
        const at = random.below(right.length);
        // one bit of a right key; or the key itself
        const wrong = right.slice(0, at) + String.fromCharCode(right.charCodeAt(at) ^ 1) + right.slice(at + 1);
        const key = random.chance(0.3) ? wrong : random.chance(0.1) ? draw() : right;
        const expected = owners.get(key) ?? (/^[!-~]+$/.test(key) ? 'unknown_api_key' : 'malformed_api_key');
        assert.equal(callerOf(host, key), expected, `seed ${seed}, request ${i}`);
      }
    }
  });

  it('is not right any more once an edit has taken or revoked it, and is somebody else’s after it was given away', () => {
    const keys: Keys = new Map([
      ['acme', 'a-key-of-many-characters'],
      ['globex', 'another-key-of-characters'],
    ]);
    const host = opened(keys);
    const [first, second] = [...keys.values()] as [string, string];
    for (let i = 0; i < 3; i++) assert.deepEqual([callerOf(host, first), callerOf(host, second)], ['acme', 'globex']);
    assert.ok(host.load(configOf(new Map([['globex', first]]))));
    assert.deepEqual([callerOf(host, first), callerOf(host, second)], ['globex', 'unknown_api_key']);
    assert.ok(host.load(configOf(keys, { revoked: true })));
    assert.deepEqual([callerOf(host, first), callerOf(host, second)], ['revoked_api_key', 'revoked_api_key']);
  });

  it('ends when it ends', () => {
    const startMs = Date.UTC(2026, 0, 15, 12);
    const host = new Host(module, { startMs });
    const keys: Keys = new Map([['acme', 'a-key-of-many-characters']]);
    assert.ok(host.load(configOf(keys, { until: startMs / 1000 + 2 })), host.logs().join('\n'));
    assert.equal(callerOf(host, 'a-key-of-many-characters'), 'acme');
    host.pass(2000);
    assert.equal(callerOf(host, 'a-key-of-many-characters'), 'expired_api_key');
  });

  it('costs less than half of what its first request did; a wrong one pays nothing for it; without random bytes all do', () => {
    const keys: Keys = new Map([['acme', 'a-key-of-many-characters']]);
    const cost = (host: Host, key: string): number => {
      let reason = '';
      const { instructions } = costOf(host, () => (reason = decisionOf(host.request(requestWith(key)))!.reason));
      assert.ok(reason === 'allowed' || reason === 'unknown_api_key');
      return instructions;
    };
    const right = 'a-key-of-many-characters';
    const host = opened(keys);
    const [first, again] = [cost(host, right), cost(host, right)];
    assert.ok(again < first / 2, `${first}, then ${again}`);
    const wrong = 'no-key-of-many-characters';
    const [unknown, unknownAgain] = [cost(host, wrong), cost(host, wrong)];
    const poor = opened(keys, { random: false });
    const [poorFirst, poorAgain] = [cost(poor, right), cost(poor, right)];
    assert.equal(poorAgain, poorFirst);
    assert.equal(unknownAgain, unknown);
    assert.ok(Math.abs(cost(poor, wrong) - unknown) < 10, 'a wrong key is looked up as if nothing were remembered');
  });
});
