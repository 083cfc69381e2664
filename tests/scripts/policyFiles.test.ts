import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it, test } from 'node:test';
import { CORE_SCHEMA, dump, load } from 'js-yaml';
import { cutPolicy } from '../../harness/cutPolicy.ts';
import { Random } from '../../harness/random.ts';
import {
  compilePolicy,
  printProblem,
  readPolicy,
  readPolicyFiles,
  validPolicy,
  validPolicyFiles,
  type LoadResult,
  type PolicyText,
} from '../../scripts/policy/index.ts';
import { loadCases } from '../cases/load.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';

const NOW_SECONDS = Date.parse('2026-06-01T00:00:00Z') / 1000;
const BASE = `policy: shop
plans: { free: { quotas: { daily: { limit: 10, window: day } } } }
apis:
  pets: { paths: [/pets], plans: [free] }
`;

function read(...texts: string[]): LoadResult {
  const files = texts.map((text, at) => ({ file: `shop/${'abcdef'[at]}.yaml`, text }));
  return readPolicyFiles(files, 'shop', NOW_SECONDS);
}

function lines({ problems }: LoadResult): string[] {
  return problems.map((problem) => printProblem(problem));
}

describe('a policy of several files', () => {
  it('is one policy', () => {
    const { policy, problems } = read(
      BASE,
      'policy: shop\nconsumers:\n  acme: { plan: free }\n',
      '{ "policy": "shop", "realm": "here", "apis": { "orders": { "paths": ["/orders"], "plans": ["free"] } }, "consumers": { "globex": null } }',
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(Object.keys(policy!.apis), ['pets', 'orders']);
    assert.deepEqual(Object.keys(policy!.consumers), ['acme', 'globex']);
    assert.equal(policy!.realm, 'here');
  });

  const refused: readonly [string, readonly string[], readonly string[]][] = [
    [
      'a name that two files have',
      ['policy: shop\nconsumers:\n  acme:\n', 'policy: shop\nconsumers:\n  globex:\n  acme:\n'],
      ['shop/c.yaml:4: consumers.acme: must be given once; it stands at shop/b.yaml:3 already'],
    ],
    [
      'a name that a file has twice, and another one too',
      ['policy: shop\nconsumers:\n  acme:\n  acme:\n', 'policy: shop\nconsumers: { acme: }\n'],
      [
        'shop/b.yaml:4: consumers.acme: must be given once; it stands on line 3 already',
        'shop/c.yaml:2: consumers.acme: must be given once; it stands at shop/b.yaml:3 already',
      ],
    ],
    [
      'a setting that two files have, also with the same value',
      ['policy: shop\nrealm: a\n', 'policy: shop\nrealm: a\n'],
      ['shop/c.yaml:2: realm: must stand in one file only; it stands at shop/b.yaml:2 already'],
    ],
    [
      'files of two policies',
      ['policy: store\n'],
      ['shop/b.yaml:1: policy: must be the same in all files; the first says "shop" (shop/a.yaml:1); found "store"'],
    ],
    [
      'a file that does not say of which policy it is part',
      ['openapi: 3.1.0\ninfo: {}\n'],
      [
        'shop/b.yaml:1:1: must have the field "policy", the same in all files: each .yaml, .yml and .json file of the folder is part of the policy',
      ],
    ],
    ['an empty file', ['# later\n'], ['shop/b.yaml:1:1: must hold a policy; the file is empty']],
    ['a list', ['- policy: shop\n'], ['shop/b.yaml:1:1: must be a mapping; found a list']],
    [
      'names that are a list',
      ['policy: shop\napis: [orders]\n'],
      ['shop/b.yaml:2: apis: must be a mapping; found a list'],
    ],
    [
      'two documents in a file',
      ['policy: shop\n---\npolicy: shop\n'],
      ['shop/b.yaml:2:1: must be a single YAML document'],
    ],
    [
      'what two files break together',
      ['policy: shop\napis:\n  orders:\n    paths: [/pets]\n    plans: [free]\n'],
      [
        'shop/b.yaml:4: apis.orders.paths[0]: must belong to one API; apis.pets has it on any host too (shop/a.yaml:4); found "/pets"',
      ],
    ],
    [
      'a plan that no file has',
      ['policy: shop\nconsumers:\n  acme: { plan: gold }\n'],
      ['shop/b.yaml:3: consumers.acme.plan: must be a plan of this policy (free); found "gold"'],
    ],
    [
      'an unknown field, where it stands',
      ['policy: shop\nconsumer: {}\n'],
      ['shop/b.yaml:2:1: unknown field "consumer"; did you mean "consumers"?'],
    ],
    [
      'a name of JavaScript',
      ['policy: shop\nconsumers:\n  __proto__: { plan: free }\n'],
      ['shop/b.yaml:3: consumers: must have no field of this name; found "__proto__"'],
    ],
  ];
  for (const [what, texts, expected] of refused)
    it(`refuses ${what}`, () => {
      assert.deepEqual(lines(read(BASE, ...texts)), expected);
    });

  it('keeps keys in clear text out of its messages, and finds them in each file', () => {
    const key = 'tg_4f9k2mXa_2Y1c4Vt0WZ8pQy6rN3bM5sD7fG1';
    const { problems } = read(BASE, `policy: ${key}\nconsumers: { "${key}": { plan: ${key} } }\n`);
    assert.ok(problems.length > 0);
    assert.equal(JSON.stringify(problems).includes(key), false);
  });

  it('says what it bounds over all files together', () => {
    const large = `policy: shop\n# ${'x'.repeat(17 * 1024 * 1024)}\n`;
    assert.deepEqual(lines(read(large, large)), [
      `shop: must have at most 33554432 bytes, all its files together; found ${2 * large.length}`,
    ]);
    const many = `policy: shop\n#${'\n'.repeat(3 * 1024 * 1024)}\n`;
    assert.deepEqual(lines(read(many, many)), ['shop: must have at most 4194304 values, all its files together']);
  });

  it('names itself where a warning is about no file', () => {
    const { warnings } = read('policy: shop\n', 'policy: shop\n');
    assert.deepEqual(
      warnings.map((warning) => printProblem(warning, 'warning')),
      ['shop: warning: has no API, so there is nothing to call'],
    );
  });

  it('lists the first problems in the order of the files, and counts the others', () => {
    const consumers = (file: string): string =>
      `policy: shop\nconsumers:\n${[...Array(80).keys()].map((at) => `  ${file}${at}: { plan: none }\n`).join('')}`;
    const texts = [BASE, consumers('b'), consumers('c')].map((text, at) => ({ file: `shop/${at}.yaml`, text }));
    assert.throws(
      () => validPolicyFiles(texts, 'shop'),
      (error: Error) => {
        const printed = error.message.split('\n');
        assert.equal(printed.length, 101);
        assert.match(printed[0]!, /^shop\/1\.yaml:3: consumers\.b0\.plan: /);
        assert.match(printed[99]!, /^shop\/2\.yaml:22: consumers\.c19\.plan: /);
        assert.equal(printed[100], 'shop: and 60 more problems');
        return true;
      },
    );
  });
});

const SEED = Number(process.env['SEED'] ?? 13);
const ROUNDS = 4;

/** Valid policies of all kinds: the example, and what the cases enforce. */
function validTexts(): string[] {
  const example = readFileSync(inPackage('examples', 'petstore.policy.yaml'), 'utf8');
  const cases = loadCases().map(({ policy }) => dump(load(policy, { schema: CORE_SCHEMA })));
  return [...new Set([example, ...cases])];
}

test('the same comes out however a policy is spread over files', () => {
  let [cut, files] = [0, 0];
  for (const [at, text] of validTexts().entries()) {
    const one = JSON.stringify(compilePolicy(validPolicy(text, 'one').policy));
    for (let round = 0; round < ROUNDS; round++) {
      const parts = cutPolicy(text, new Random(SEED * 1000 + at * ROUNDS + round), false);
      if (parts === null) continue;
      cut++;
      files += parts.length;
      const { policy, problems } = readPolicyFiles(parts, 'several');
      assert.deepEqual(problems, [], show(parts));
      assert.equal(JSON.stringify(compilePolicy(policy!)), one, show(parts));
    }
  }
  assert.ok(cut > 300 && files > 2 * cut, `${cut} policies in ${files} files`);
});

test('the same problems are found, at the same lines, however a policy is spread over files', () => {
  const url = new URL('./problems/', import.meta.url);
  let cut = 0;
  for (const [at, name] of readdirSync(url).entries()) {
    const text = readFileSync(new URL(name, url), 'utf8');
    const one = readPolicy(text, 'one', NOW_SECONDS);
    const wanted = said(one, [{ file: 'one', text }]);
    for (let round = 0; round < ROUNDS; round++) {
      const parts = cutPolicy(text, new Random(SEED * 1000 + at * ROUNDS + round), true);
      if (parts === null) continue;
      cut++;
      const several = readPolicyFiles(parts, 'several', NOW_SECONDS);
      assert.deepEqual(said(several, parts), wanted, `${name}\n${show(parts)}`);
    }
  }
  assert.ok(cut > 1000, String(cut));
});

/** Problems without their lines' numbers: what stands on a line instead. */
function said({ problems }: LoadResult, files: readonly PolicyText[]): string[] {
  const lineAt = (file: string, line: number): string =>
    files.find((one) => one.file === file)?.text.split('\n')[line - 1] ?? '';
  const all = problems.map(({ file, line, path, rule, found = '' }) => {
    const other = rule
      .replace(/ (?:on )?line (\d+)/, (_, at) => ` «${lineAt(file, Number(at))}»`)
      .replace(/ at (\d+\.yaml):(\d+)/, (_, name: string, at) => ` «${lineAt(name, Number(at))}»`)
      .replace(
        /\((?:line |(?:(\d+\.yaml):))(\d+)\)/,
        (_, name: string | undefined, at) => `(«${lineAt(name ?? file, Number(at))}»)`,
      );
    return `«${lineAt(file, line)}» ${path}: ${other}; ${found}`;
  });
  // the policy's name stands in each file
  return [...new Set(all)].sort();
}

function show(parts: readonly PolicyText[]): string {
  return parts.map(({ file, text }) => `--- ${file}\n${text}`).join('');
}
