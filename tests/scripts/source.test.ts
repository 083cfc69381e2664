import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { CORE_SCHEMA, load } from 'js-yaml';
import { keyOf } from '../../scripts/key/key.ts';
import { compilePolicy, MAX_POLICY_BYTES, printProblem, readPolicy } from '../../scripts/policy/index.ts';
import { loadPolicy } from './loadPolicy.ts';
import { readDocument } from '../../scripts/policy/yaml/document.ts';
import { scratchFile, scratchFolder } from '../../harness/scratch.ts';

const VALID = 'policy: shop\napis:\n  pets:\n    paths: [/v1]\n    plans: [free]\nplans:\n  free:\n';
const folder = scratchFolder();

function problemsOf(text: string): string[] {
  return readPolicy(text, 'p').problems.map((problem) => printProblem(problem));
}

async function problemsOfFile(content: string | Uint8Array): Promise<string[]> {
  const file = scratchFile(folder, content);
  return (await loadPolicy(file)).problems.map((problem) => printProblem(problem).replace(file, 'p'));
}

test('counts lines alike with LF, CRLF and CR, and behind a byte order mark', () => {
  for (const lineBreak of ['\n', '\r\n', '\r']) {
    for (const mark of ['', '\ufeff']) {
      const text = mark + `${VALID}unmatched: never\n`.replaceAll('\n', lineBreak);
      assert.deepEqual(problemsOf(text), ['p:8: unmatched: must be "deny" or "allow"; found "never"']);
    }
  }
});

test('reports all problems at once, in the order of the file', () => {
  const problems = readPolicy(`unmatched: never\n${VALID}forwardKey: 1\nplan: free\n`, 'p').problems;
  assert.deepEqual(
    problems.map(({ line }) => line),
    [1, 9, 10],
  );
});

test('means the same in JSON', () => {
  const json = JSON.stringify(load(VALID), null, '\t');
  assert.deepEqual(readPolicy(json, 'p').policy, readPolicy(VALID, 'p').policy);
});

test('reports a file that is missing, a folder, too large or not UTF-8', async () => {
  assert.deepEqual(
    (await loadPolicy(join(folder, 'none.yaml'))).problems.map(({ rule, line }) => [rule, line]),
    [['no such file', 0]],
  );
  mkdirSync(join(folder, 'a-folder'));
  assert.equal(
    (await loadPolicy(join(folder, 'a-folder'))).problems[0]!.rule,
    'must have a policy file: one whose name ends in .yaml, .yml or .json and does not begin with "."',
  );
  assert.deepEqual(await problemsOfFile(`#${'x'.repeat(MAX_POLICY_BYTES)}`), [
    `p: must have at most 33554432 bytes; found ${MAX_POLICY_BYTES + 1}`,
  ]);
  assert.deepEqual(await problemsOfFile(Buffer.from('policy: a\n# caf\xe9\n', 'latin1')), ['p:2: must be valid UTF-8']);
  const utf16 =
    'p: must be UTF-8; this is UTF-16, which ">" of Windows PowerShell writes: write it with "| Set-Content -Encoding utf8 FILE", or save it as UTF-8';
  for (const mark of ['\ufeff', ''])
    assert.deepEqual(await problemsOfFile(Buffer.from(`${mark}policy: a\r\n`, 'utf16le')), [utf16]);
  assert.deepEqual(await problemsOfFile(Buffer.from('\ufeffpolicy: a\r\n', 'utf16le').swap16()), [utf16]);
  assert.deepEqual(await problemsOfFile('policy: a\n# zero \0\n'), ['p:2:8: must not hold a NUL byte']);
});

test('refuses documents that would expand exponentially, quickly', () => {
  const bomb = `a: &a [x, x]\n${Array.from({ length: 40 }, (_, i) => `a${i}: &a${i} [*a${i === 0 ? '' : i - 1}, *a${i === 0 ? '' : i - 1}]`).join('\n')}\n`;
  const deep = `a: ${'{a: '.repeat(100_000)}`;
  const wide = `${VALID}consumers: { ${Array.from({ length: 20_000 }, (_, i) => `c${i}: { plan: none }`).join(', ')} }\n`;
  const started = process.hrtime.bigint();
  assert.ok(problemsOf(bomb).length > 0);
  assert.deepEqual(problemsOf(deep), ['p:1:93: must not nest deeper than 24 levels']);
  const { problems, more } = readPolicy(wide, 'p');
  assert.deepEqual([problems.length, problems.length + more], [100, 20_000]);
  assert.ok(process.hrtime.bigint() - started < 20_000_000_000n);
});

test('takes names with a meaning in JavaScript as plain names', () => {
  const names = ['constructor', 'tostring', 'prototype', 'hasownproperty', 'valueof'];
  const plans = names.map((name) => `  ${name}: { quotas: { ${name}: { limit: 1, window: day } } }`).join('\n');
  const { policy, problems } = readPolicy(
    `policy: constructor\napis:\n  constructor:\n    paths: [/v1]\n    plans: [${names.join(', ')}]\nplans:\n${plans}\nconsumers:\n  toString: { plan: prototype }\n`,
    'p',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    compilePolicy(policy!).plans.map(({ name }) => name),
    [...names].sort(),
  );
  assert.deepEqual(problemsOf('policy: a\napis: { a: { paths: [/], plans: [constructor] } }\n'), [
    'p:2: apis.a.plans[0]: must be a plan of this policy; there is none; found "constructor"',
  ]);
  assert.equal(({} as Record<string, unknown>)['quotas'], undefined);
});

test('finds a key in clear text wherever it stands, and does not repeat it', () => {
  const key = keyOf('00000000', new Uint8Array(20));
  for (const place of [
    `# the key: ${key}`,
    `forwardKey: ${key}`,
    `${key}: 1`,
    `consumers: { ${key}: {} }`,
    `consumers: { a: { keys: [{ id: ${key} }] } }`,
    `"unclosed ${key}`,
  ]) {
    const problems = problemsOf(`${VALID}${place}\n`);
    assert.ok(
      problems.some((problem) =>
        /^p:8:\d+: must not hold a key in clear text; revoke that key, and store only digests$/.test(problem),
      ),
      place,
    );
    assert.ok(!problems.join('\n').includes(key.slice(12)), place);
  }
  assert.deepEqual(problemsOf(`${VALID}# tg_00000000_${'0'.repeat(33)} is no key: its checksum is wrong\n`), []);
});

test('never repeats what stands where a key could be', () => {
  const secret = 's3cr3t-k3y-0123456789';
  const places = [
    `acme: ${secret}`,
    `acme: [${secret}]`,
    `acme: { key: ${secret} }`,
    `acme: { keys: ${secret} }`,
    `acme: { keys: [${secret}] }`,
    `acme: { keys: { ${secret}: x } }`,
    `acme: { keys: [{ id: a, digest: ${secret} }] }`,
    `acme: { keys: [{ id: "${secret} ", digest: x }] }`,
    `acme: { keys: [{ ${secret}: 1 }] }`,
    `acme: { ${secret}: 1 }`,
    `acme: { keys: [[${secret}]] }`,
    `acme: { keys: [{ id: a, ${secret}: 1, ${secret}: 2 }] }`,
    `acme: { keys: [!${secret} a] }`,
    `acme: { keys: [*${secret}] }`,
    `acme: { keys: [{ id: a, digest: "sha256:${secret}", revoked: ${secret} }] }`,
  ];
  for (const place of places) {
    const problems = problemsOf(`${VALID}consumers: { ${place} }\n`);
    assert.ok(problems.length > 0, place);
    if (!place.includes('revoked'))
      assert.ok(!problems.join('\n').includes(secret), `${place}: ${problems.join('\n')}`);
  }
  const routed =
    'policy: shop\nplans: { free: {} }\napis: { pets: { paths: [/v1], plans: [free], routes: [{ name: a, when: { headers: { x-a: "\\t' +
    secret +
    '" } }, setHeaders: { authorization: "Basic ' +
    secret +
    '\\n" } }] } }\n';
  assert.ok(problemsOf(routed).length === 2 && !problemsOf(routed).join('\n').includes(secret));
});

test('shows control characters and long strings in a form that cannot confuse a terminal', () => {
  assert.deepEqual(problemsOf(`${VALID}unmatched: "\\e[31m\\u202e${'x'.repeat(100)}"\n`), [
    `p:8: unmatched: must be "deny" or "allow"; found "\\u001b[31m\\u202e${'x'.repeat(54)}…"`,
  ]);
});

const scalar = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.stringMatching(/^[a-zA-Z0-9 :#'"{}[\],&*!|>%@`~-]{0,12}$/),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
);
const document = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(fc.stringMatching(/^[a-z0-9 :-]{1,6}$/), tie('node'), { maxKeys: 4 }),
  ),
})).node;

test('reads values as js-yaml does', () => {
  fc.assert(
    fc.property(document, fc.boolean(), (value, pretty) => {
      const text = JSON.stringify({ value }, null, pretty ? 2 : 0);
      const { root, problems } = readDocument(text);
      assert.deepEqual(problems, []);
      assert.deepEqual(
        JSON.parse(JSON.stringify(root!.value)),
        JSON.parse(JSON.stringify(load(text, { schema: CORE_SCHEMA }))),
      );
    }),
    { seed: 3, numRuns: 200 },
  );
});

test('never throws, whatever the text', () => {
  const valid = `${VALID}consumers:\n  acme: { plan: free, keys: [{ id: a, digest: x, from: 2026-01-01T00:00:00Z }] }\n`;
  const mutation = fc.tuple(
    fc.nat(valid.length),
    fc.nat(20),
    fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom(
        '{',
        ']',
        '- ',
        ': ',
        '\n',
        '\t',
        '&a ',
        '*a',
        '!!str ',
        '|\n',
        '"',
        '? ',
        '---\n',
        '\0',
        '\ud800',
      ),
    ),
  );
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
      let text = valid;
      for (const [offset, remove, insert] of mutations)
        text = text.slice(0, offset) + insert + text.slice(offset + remove);
      const { policy, problems } = readPolicy(text, 'p');
      assert.equal(policy === null, problems.length > 0);
      for (const problem of problems) assert.ok(problem.line >= 0 && problem.line <= text.split(/\r\n|\n|\r/).length);
    }),
    { seed: 3, numRuns: 1500 },
  );
});
