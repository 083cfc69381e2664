import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CORE_SCHEMA, load } from 'js-yaml';
import { compilePolicy, printProblem, readPolicy, type LoadResult } from '../../scripts/policy/index.ts';
import { loadPolicy } from './loadPolicy.ts';
import { jsonSchemaText } from '../../scripts/policy/schema/policy.ts';

const PAGE = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8');

interface Example {
  readonly line: number;
  /** `policy`: a whole one. `policy part`: a change to the page's first whole one. */
  readonly kind: string;
  readonly text: string;
}

function examples(): Example[] {
  return [...PAGE.matchAll(/^```yaml(.*)\n([^]*?)^```$/gm)].map((match) => ({
    line: PAGE.slice(0, match.index).split('\n').length + 1,
    kind: match[1]!.trim(),
    text: match[2]!,
  }));
}

const whole = examples().find(({ kind }) => kind === 'policy')!;

function problemsOf({ problems }: LoadResult): string[] {
  return problems.map((problem) => printProblem(problem));
}

/** Mappings merge, all else is replaced. */
function merge(base: unknown, change: unknown): unknown {
  if (!isMapping(base) || !isMapping(change)) return change;
  const names = new Set([...Object.keys(base), ...Object.keys(change)]);
  return Object.fromEntries(
    [...names].map((name) => [name, name in change ? merge(base[name], change[name]) : base[name]]),
  );
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

for (const { line, kind, text } of examples()) {
  test(`docs/policy.md:${line}: the example is a valid ${kind}`, () => {
    assert.match(kind, /^policy(?: part)?$/, 'every yaml example says what it is');
    const read = (yaml: string): unknown => load(yaml, { schema: CORE_SCHEMA });
    const policy = kind === 'policy' ? text : JSON.stringify(merge(read(whole.text), read(text)));
    const result = readPolicy(policy, 'example');
    assert.deepEqual(problemsOf(result), []);
    assert.equal(compilePolicy(result.policy!).version, 1);
  });
}

test('docs/policy.md describes every field', () => {
  const described = new Set(
    [...PAGE.matchAll(/^\| (`.+?) \|/gm)].flatMap((match) =>
      [...match[1]!.matchAll(/`(\w+)`/g)].map((field) => field[1]),
    ),
  );
  assert.deepEqual(
    fieldsOf(JSON.parse(jsonSchemaText())).filter((field) => !described.has(field)),
    [],
  );
});

function fieldsOf(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(fieldsOf);
  if (!isMapping(schema)) return [];
  const own = isMapping(schema['properties']) ? Object.keys(schema['properties']) : [];
  return [...own, ...Object.values(schema).flatMap(fieldsOf)];
}

test('docs/policy.md shows messages as they are', () => {
  const text = whole.text.replace('plans: [free, gold]', 'plans: [free, golden]');
  const shown = /^```text\n(.*)\n```$/m.exec(PAGE)![1]!;
  assert.deepEqual(problemsOf(readPolicy(text, 'petstore.policy.yaml')), [shown]);
});

test('the example policy is valid, with a consumer on each plan and no keys', async () => {
  const { policy, problems } = await loadPolicy(
    new URL('../../examples/petstore.policy.yaml', import.meta.url).pathname,
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    Object.entries(policy!.consumers).map(([name, { plan, keys }]) => [name, plan, keys.length]),
    [
      ['acme', 'free', 0],
      ['globex', 'gold', 0],
    ],
  );
  assert.deepEqual(policy!.plans['free']!.quotas['per-second'], {
    limit: 10,
    window: 'second',
    per: 'consumer',
    scope: 'envoy',
  });
});
