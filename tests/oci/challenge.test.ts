import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseChallenges } from '../../scripts/oci/authorization.ts';

const cases: [string, [string, Record<string, string>][]][] = [
  ['Basic realm="Registry"', [['basic', { realm: 'Registry' }]]],
  [
    'Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push"',
    [['bearer', { realm: 'https://auth.example/token', service: 'r.example', scope: 'repository:a/b:pull,push' }]],
  ],
  ['bearer Realm=x , SERVICE = "y"', [['bearer', { realm: 'x', service: 'y' }]]],
  [
    'Basic realm="a", Bearer realm="b",error="invalid_token"',
    [
      ['basic', { realm: 'a' }],
      ['bearer', { realm: 'b', error: 'invalid_token' }],
    ],
  ],
  [
    'Negotiate, Basic realm="a"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'a' }],
    ],
  ],
  [
    'Negotiate YWJj==, Basic realm="a"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'a' }],
    ],
  ],
  ['Basic realm="with \\"quotes\\", and a comma"', [['basic', { realm: 'with "quotes", and a comma' }]]],
  ['Basic realm=""', [['basic', { realm: '' }]]],
  ['Basic realm="first", realm="second"', [['basic', { realm: 'first' }]]],
  ['Basic', [['basic', {}]]],
  ['', []],
  [', ,', []],
  ['Basic realm="unclosed', [['basic', {}]]],
];
for (const [header, expected] of cases) {
  test(`reads ${header || 'nothing'}`, () => {
    assert.deepEqual(
      parseChallenges(header)
        .slice(0, expected.length)
        .map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]),
      expected,
    );
  });
}

test('never fails and never hangs, whatever a server sends', () => {
  const piece = fc.oneof(
    fc.constantFrom('Basic', 'Bearer', ' ', ',', '=', '"', '\\', 'realm', 'x="y"', 'a68=='),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => void parseChallenges(pieces.join(''))),
    { numRuns: 2000 },
  );
});
