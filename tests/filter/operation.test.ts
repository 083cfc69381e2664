import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pluginConfig } from '../../harness/config.ts';
import { Random } from '../../harness/random.ts';
import { checkPolicy } from '../../scripts/policy/index.ts';
import { triedBy } from '../../scripts/policy/check/reach.ts';
import { readPattern, type Pattern } from '../../scripts/policy/schema/operation.ts';
import { MAX_TRIED } from '../../scripts/contract/table.ts';
import { FilterModule } from './filterModule.ts';
import { linearOperation, type Listed } from '../../harness/spellings/linearOperation.ts';

const NOW_MS = Date.UTC(2026, 0, 15, 12);
const filter = new FilterModule();

function configOf(listed: readonly Listed[], path: string): string {
  return JSON.stringify({
    ...pluginConfig([]),
    consumers: [],
    apis: [
      {
        name: 'api',
        paths: [path],
        plans: [],
        anonymous: 'allow',
        operations: listed.map(({ name, template }) => ({ name, path: template })),
      },
    ],
  });
}

/** What the module makes of a path: the operation's name, or the reason. */
function judged(path: string): string {
  const { reason, log } = filter.decide(
    [
      [':method', 'GET'],
      [':authority', 'a.test'],
      [':path', path],
    ],
    NOW_MS,
  );
  return reason === 'anonymous' ? / operation=(\S+)/.exec(log)![1]! : reason;
}

function expected(listed: readonly Listed[], rest: string): string {
  const { name, doubtful } = linearOperation(listed, rest);
  if (name === null) return 'no_operation';
  return doubtful ? 'invalid_path' : name;
}

/** Few words, so that templates overlap and paths hit them; spellings that servers read in different ways among them. */
const TEMPLATE_PARTS = ['a', 'b', 'A', 'ab', 'a-b', '{}', '{}', 'a{}', '{}b', 'a{}b', '{}.json'];
const PATH_PARTS = [
  'a',
  'b',
  'A',
  'B',
  'ab',
  'aB',
  'a-b',
  'axb',
  'a;x',
  'A;x',
  'ab;',
  'a%3Fx',
  'b%23',
  'x',
  'x.json',
  'X.JSON',
  'x.json;y',
  '%20',
];

function someTemplates(random: Random): Listed[] {
  const templates = new Set<string>();
  for (let count = 1 + random.below(12); count > 0; count--) {
    const parts = Array.from({ length: random.below(4) }, () => random.pick(TEMPLATE_PARTS));
    if (random.chance(0.2)) parts.push('{...}');
    templates.add(`/${parts.join('/')}`);
  }
  return [...templates].map((template, index) => ({ name: `o${index}`, template }));
}

/** The template with names for its variables, as a policy has it. */
function keyOf(template: string): string {
  let number = 0;
  return template.replace(/\{\.\.\.\}/g, '{rest...}').replace(/\{\}/g, () => `{v${number++}}`);
}

function patternOf(template: string): Pattern {
  const key = keyOf(template);
  const pattern = readPattern(key);
  assert.ok(typeof pattern !== 'string', `${key}: ${pattern as string}`);
  return pattern;
}

describe('the operation of a path', () => {
  it('is what a plain reading of all templates finds', (t) => {
    const random = new Random(13);
    const met = new Map<string, number>();
    for (let round = 0; round < 1500; round++) {
      const listed = someTemplates(random);
      const api = random.pick(['/', '/v1']);
      assert.equal(filter.configure(configOf(listed, api)), null);
      for (let i = 0; i < 30; i++) {
        const rest = `/${Array.from({ length: random.below(5) }, () => random.pick(PATH_PARTS)).join('/')}`;
        // the path of an API at "/" begins with the operation's
        const path = api === '/' ? rest : `${api}${rest}`;
        const found = judged(path);
        assert.equal(found, expected(listed, rest), `${path} of ${JSON.stringify(listed)}`);
        const kind = /^o\d/.test(found) ? 'found' : found;
        met.set(kind, (met.get(kind) ?? 0) + 1);
      }
    }
    t.diagnostic([...met].map(([kind, count]) => `${kind} ${count}`).join(', '));
    for (const kind of ['found', 'no_operation', 'invalid_path']) assert.ok((met.get(kind) ?? 0) > 500, kind);
  });

  it('is never one that check says never matches, and can be any other one', (t) => {
    const random = new Random(15);
    const met = { matched: 0, never: 0 };
    for (let round = 0; round < 400; round++) {
      const listed = [...new Set([...someTemplates(random), ...someTemplates(random)].map(({ template }) => template))]
        .map((template, index) => ({ name: `o${index}`, template: template.replace('a{}b', 'A{}') }))
        .filter(({ template }, index, all) => all.findIndex((other) => other.template === template) === index);
      assert.equal(filter.configure(configOf(listed, '/v1')), null);
      const operations = Object.fromEntries(listed.map(({ name, template }) => [keyOf(template), { name }]));
      const findings = checkPolicy({
        policy: 'p',
        apis: { api: { paths: ['/v1'], anonymous: 'allow', operations } },
      });
      const hidden = new Set(
        findings.filter(({ rule }) => rule.startsWith('never matches')).map(({ path }) => String(path.at(-1))),
      );
      for (const { name, template } of listed) {
        // of what no other template has in its text; the rest of a path is of one segment or more
        const rests = template.includes('...') ? ['~1~', '~1~/~2~', '~1~/~2~/~3~', '~1~/~2~/~3~/~4~'] : [''];
        const paths = rests.map((rest) => `/v1${template.replace('{...}', rest).replace(/\{\}/g, '~0~')}`);
        const found = paths.map(judged);
        if (!hidden.has(keyOf(template))) {
          met.matched++;
          assert.ok(found.includes(name), `${name}: ${found.join()} for ${paths.join()} of ${JSON.stringify(listed)}`);
          continue;
        }
        met.never++;
        assert.ok(!found.includes(name), `${name}: ${paths.join()} of ${JSON.stringify(listed)}`);
        for (let i = 0; i < 20; i++) {
          const other = `/v1${template.replace('{...}', 'a/b').replace(/\{\}/g, () => random.pick(PATH_PARTS))}`;
          assert.notEqual(judged(other), name, `${other} of ${JSON.stringify(listed)}`);
        }
      }
    }
    t.diagnostic(JSON.stringify(met));
    assert.ok(met.matched > 1000 && met.never > 20, JSON.stringify(met));
  });

  it('is found by no more tries than the tool and the module both allow', () => {
    const random = new Random(14);
    let refused = 0;
    for (let round = 0; round < 60; round++) {
      const depth = 4 + random.below(5);
      const count = 2 ** depth;
      const templates = Array.from({ length: count }, (_, number) => {
        const parts = Array.from({ length: depth }, (_, bit) =>
          (number >> bit) & 1 ? '{}' : random.chance(0.1) ? 'C' : 'c',
        );
        return `/${parts.join('/')}`;
      });
      const listed = [...new Set(templates)].map((template, index) => ({ name: `o${index}`, template }));
      const tried = triedBy(listed.map(({ template }) => patternOf(template)));
      const problem = filter.configure(configOf(listed, '/'));
      if (tried <= MAX_TRIED) assert.equal(problem, null, `${tried} tried`);
      else assert.match(problem!, /may have to try more than 128 segments/);
      if (problem !== null) refused++;
    }
    assert.ok(refused > 5 && refused < 55, `${refused} refused`);
  });

  it('is found among ten thousand at the cost of one', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => ({
      name: `o${index}`,
      template: `/${['pets', 'toys', 'food', 'shops'][index % 4]}-${index % 100}/{}/part-${index}`,
    }));
    assert.equal(filter.configure(configOf(many, '/v1')), null);
    for (const index of [0, 1, 4999, 9999])
      assert.equal(judged(`/v1${many[index]!.template.replace('{}', 'x')}`), `o${index}`);
    assert.equal(judged('/v1/pets-0/x/part-1'), 'no_operation');
  });
});
