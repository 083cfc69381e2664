import assert from 'node:assert/strict';
import { it } from 'node:test';
import { KEY, pluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import type { Pair } from '../../scripts/host/stream.ts';
import { FilterModule } from './filterModule.ts';

const NOW_MS = Date.UTC(2026, 0, 15, 12);
const HEADERS = ['x-a', 'x-b'];
const VALUES = ['1', '2', '3', '4', '5', 'one', 'one, two', 'a b', ''];

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
  readonly headers: Condition[];
  readonly methods?: string[];
}

function someRoute(random: Random, number: number): Route {
  const headers = HEADERS.filter(() => random.chance(0.7)).map((name): Condition => {
    switch (random.below(6)) {
      case 0:
        return { name, prefix: random.pick(['1', 'o', 'one']) };
      case 1:
        return { name, oneOf: [random.pick(VALUES), random.pick(VALUES)] };
      case 2:
        return { name, absent: true };
      default:
        return { name, exact: random.pick(VALUES) };
    }
  });
  return { name: `r${number}`, headers, ...(random.chance(0.2) && { methods: [random.pick(['GET', 'PUT'])] }) };
}

/** What docs/policy.md says of conditions: the whole value of a header, or members of it that stand beside each other. */
function holds(condition: Condition, request: readonly Pair[]): boolean {
  const lines = request.filter(([name]) => name.replaceAll('_', '-') === condition.name).map(([, value]) => value);
  if (condition.absent) return lines.length === 0;
  return lines.some((line) => {
    const members = line.split(',');
    const runs = members.flatMap((_, start) =>
      members.slice(start).map((_, length) =>
        members
          .slice(start, start + length + 1)
          .join(',')
          .trim(),
      ),
    );
    const wanted = condition.oneOf ?? [condition.exact ?? condition.prefix!];
    return wanted.some((value) =>
      condition.prefix === undefined
        ? line === value || (members.length > 1 && runs.includes(value))
        : line.startsWith(value) || runs.some((run) => run.startsWith(value)),
    );
  });
}

it('the index of routes finds what looking through them one by one finds', (t) => {
  const random = new Random(15);
  const filter = new FilterModule();
  let indexed = 0;
  for (let round = 0; round < 400; round++) {
    const routes = Array.from({ length: 10 + random.below(60) }, (_, number) => someRoute(random, number));
    const config = pluginConfig([], { routes });
    assert.equal(filter.configure(JSON.stringify(config)), null);
    for (let i = 0; i < 20; i++) {
      const request: Pair[] = [
        [':method', random.pick(['GET', 'PUT', 'POST'])],
        [':authority', 'a.test'],
        [':path', '/v1'],
        ['x-api-key', KEY],
      ];
      for (let count = random.below(4); count > 0; count--) {
        const value = Array.from({ length: 1 + random.below(3) }, () => random.pick(VALUES)).join(
          random.pick([',', ', ']),
        );
        request.push([random.pick(['x-a', 'x_a', 'x-b']), value]);
      }
      const expected = routes.find(
        ({ headers, methods }) =>
          (methods === undefined || methods.includes(request[0]![1])) &&
          headers.every((condition) => holds(condition, request)),
      );
      const { log } = filter.decide(request, NOW_MS);
      const found = / route=petstore\/(\S+)/.exec(log)![1];
      assert.equal(found, expected?.name ?? 'default', JSON.stringify([request, routes]));
      if (found !== 'default' && routes.length > 16) indexed++;
    }
  }
  t.diagnostic(`${indexed} found by the index`);
  assert.ok(indexed > 1000);
});
