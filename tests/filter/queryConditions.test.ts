import assert from 'node:assert/strict';
import { it } from 'node:test';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import type { Pair } from '../../scripts/host/stream.ts';
import { FilterModule } from './filterModule.ts';

const NOW_MS = Date.UTC(2026, 0, 15, 12);
const NAMES = ['a', 'b', 'a[x]', 'A'];
const VALUES = ['1', '2', 'one', 'one two', 'a+b', '', '%zz', 'ä', '1&2', 'a=b'];
const MOST_LOOKED_AT = 64;

interface Condition {
  readonly name: string;
  readonly exact?: string;
  readonly prefix?: string;
  readonly oneOf?: string[];
  readonly present?: true;
  readonly absent?: true;
}

interface Route {
  readonly name: string;
  readonly query?: Condition[];
  readonly headers?: Condition[];
}

function someCondition(random: Random, name: string): Condition {
  switch (random.below(6)) {
    case 0:
      return { name, prefix: random.pick(VALUES.filter((value) => value !== '')).slice(0, 2) };
    case 1:
      return { name, oneOf: [random.pick(VALUES), random.pick(VALUES)] };
    case 2:
      return { name, absent: true };
    case 3:
      return { name, present: true };
    default:
      return { name, exact: random.pick(VALUES) };
  }
}

function someRoute(random: Random, number: number): Route {
  const query = NAMES.filter(() => random.chance(0.4)).map((name) => someCondition(random, name));
  const headers = random.chance(0.3) ? [{ name: 'x-v', exact: String(random.below(9)) }] : [];
  return { name: `r${number}`, ...(query.length > 0 && { query }), ...(headers.length > 0 && { headers }) };
}

/** A spelling of a component: any character may be escaped, a space may be `+`. */
function spelled(random: Random, text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      if (char === ' ' && random.chance(0.5)) return '+';
      if (/[A-Za-z0-9[\]]/.test(char) && random.chance(0.8)) return char;
      const hex = byte.toString(16).padStart(2, '0');
      return `%${random.chance(0.5) ? hex : hex.toUpperCase()}`;
    })
    .join('');
}

function someQuery(random: Random): string {
  const parameters = Array.from({ length: random.chance(0.05) ? 60 + random.below(9) : random.below(6) }, () => {
    if (random.chance(0.1)) return random.pick(['', '&', '=', 'a', 'b=%z', '%', 'a%', 'b=%4', '?', ';a=1']);
    const name = spelled(random, random.pick([...NAMES, 'c']));
    return random.chance(0.2) ? name : `${name}=${spelled(random, random.pick(VALUES))}`;
  });
  return random.chance(0.1) ? '' : `?${parameters.join('&')}`;
}

/** What docs/policy.md says, over another decoder: the URL standard's. */
function holds(condition: Condition, query: string): boolean {
  const written = query.slice(1).split('&').slice(0, MOST_LOOKED_AT).join('&');
  const values = new URLSearchParams(written).getAll(condition.name);
  if (condition.absent) return values.length === 0;
  if (condition.present) return values.length > 0;
  const wanted = condition.oneOf ?? [condition.exact ?? condition.prefix!];
  return values.some((value) =>
    wanted.some((text) => (condition.prefix === undefined ? value === text : value.startsWith(text))),
  );
}

it('takes the route that a slow reading of 6,000 random queries takes, over few and many routes', (t) => {
  const random = new Random(14);
  const filter = new FilterModule();
  let taken = 0;
  for (let round = 0; round < 60; round++) {
    const routes = Array.from({ length: random.pick([1, 3, 8, 40]) }, (_, number) => someRoute(random, number));
    assert.equal(filter.configure(JSON.stringify(pluginConfig([], { routes }))), null);
    for (let i = 0; i < 100; i++) {
      const query = someQuery(random);
      const version = random.chance(0.5) ? String(random.below(9)) : null;
      const request: Pair[] = [
        [':method', 'GET'],
        [':authority', 'a.test'],
        [':path', `/v1${query}`],
        ['x-api-key', KEY],
        ...(version === null ? [] : [['x-v', version] as Pair]),
      ];
      const expected = routes.find(
        (route) =>
          (route.query ?? []).every((condition) => holds(condition, query)) &&
          (route.headers ?? []).every(({ exact }) => exact === version),
      );
      const found = / route=petstore\/(\S+)/.exec(filter.decide(request, NOW_MS).log)![1];
      assert.equal(found, expected?.name ?? 'default', JSON.stringify([query, version, routes]));
      if (found !== 'default') taken++;
    }
  }
  t.diagnostic(`${taken} requests took a route`);
  assert.ok(taken > 1000);
});
