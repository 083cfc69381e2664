import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { packageRoot } from '../../scripts/file/packageRoot.ts';
import { readPolicy } from '../../scripts/policy/index.ts';
import { readDocument } from '../../scripts/policy/yaml/document.ts';
import { cutOf, policyIn, readInParts } from '../../scripts/policy/yaml/parts.ts';

const texts = ['tests/scripts/problems', 'tests/scripts/warnings', 'examples', 'wasmplugins'].flatMap((folder) =>
  readdirSync(join(packageRoot, folder))
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => readFileSync(join(packageRoot, folder, name), 'utf8')),
);

/** Read in parts of an entry each: the same as the whole, or nothing. True for the same. */
function agrees(text: string): boolean {
  const value = readInParts(text, 'consumers', 1);
  if (value === null) return false;
  const { root, problems } = readDocument(text);
  assert.deepEqual(problems, []);
  assert.deepEqual(value, root!.value);
  return true;
}

test('every policy of the tests reads in parts as it does as a whole, or is not read in parts', () => {
  assert.ok(texts.filter(agrees).length > 60);
});

const base = (lines: readonly string[]): string => `policy: p\nconsumers:\n${lines.join('\n')}\nplans: { free: }\n`;

test('what looks like the beginning of an entry and is none is not cut, or not read in parts', () => {
  const line = fc.constantFrom(
    ...[
      '  a: 1',
      '  b:',
      '    c: 2',
      '   d: 3',
      '  "e": "x',
      '  f"',
      '  g: |',
      '    text',
      '  h: >-',
      '',
      '  # x',
      '#',
    ],
    ...[
      '  ? i',
      '  : j',
      '  - k',
      '  - l: 1',
      '  m: [',
      '  ]',
      '  n: {',
      '  }',
      '  o: &x 1',
      '  p: *x',
      '  << : 1',
      '  q',
    ],
    ...[
      '\tr: 1',
      '  s: 1\r',
      "  t: 'y",
      "  u'",
      '---',
      '...',
      'v: 1',
      '  !t w: 1',
      '  __proto__: 1',
      '  x: , 1',
      ' y: 1',
    ],
  );
  let read = 0;
  fc.assert(
    fc.property(fc.array(line, { maxLength: 7 }), (lines) => {
      if (agrees(base(lines))) read++;
    }),
    { numRuns: 5000 },
  );
  assert.ok(read > 50, String(read));
});

test('a large policy is read in parts of a quarter of a megabyte, each a whole number of consumers, and nothing is left out', () => {
  const consumer = (index: number): string =>
    `  c${index}: # ${index}\n    plan: free\n    keys:\n      - id: k${index}\n        digest: sha256:${String(index).padStart(64, '0')}\n`;
  const [head, tail] = [
    'policy: p # x\nplans: { free: }\nconsumers: # all\n',
    'apis: { a: { paths: [/], plans: [free] } }\n',
  ];
  const body = Array.from({ length: 20_000 }, (_, index) => consumer(index)).join('');
  const text = head + body + tail;
  const cut = cutOf(text, 'consumers')!;
  assert.deepEqual(
    [cut.keyStart, cut.start, cut.end],
    [head.indexOf('consumers'), head.length, text.length - tail.length],
  );
  assert.equal(cut.parts.length, Math.ceil(body.length / (256 * 1024)));
  assert.equal(cut.parts.map(([from, to]) => text.slice(from, to)).join(''), body);
  for (const [from, to] of cut.parts) assert.ok(to - from < 256 * 1024 + 200 && text.startsWith('  c', from));
  assert.notEqual(readInParts(text, 'consumers', 256 * 1024), null);
  assert.deepEqual(policyIn(text, 'p'), readPolicy(text, 'p').policy);
});

test('a problem in a large policy is told with its line', () => {
  const names = Array.from({ length: 100_000 }, (_, index) => `  consumer-${index}:\n`).join('');
  assert.throws(() => policyIn(`policy: p\nconsumers:\n${names}  consumer-7:\n`, 'p'), {
    message: 'p:100003: consumers: must be given once; it stands on line 10 already',
  });
});
