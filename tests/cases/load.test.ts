import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { loadCases, namedPolicy, readCases } from './load.ts';
import { keysOf, mergePatch } from './policyText.ts';
import { REASON_NAMES } from './reason.ts';
import { wireText } from './wire.ts';

const MINIMAL = '- name: a\n  policy: quotas\n  steps: [{ request: {}, expect: { reason: allowed } }]\n';

describe('the cases', () => {
  it('all load, under names of their own', () => {
    const cases = loadCases();
    assert.ok(cases.length > 200, `${cases.length} cases`);
    assert.equal(new Set(cases.map((test) => test.name)).size, cases.length);
  });

  it('expect every reason that a policy can bring about', () => {
    const seen = new Set(loadCases().flatMap((test) => test.steps.map((step) => step.exchange?.expect.reason)));
    const never = ['quota_unavailable', 'not_configured', 'internal_error', 'too_many_waiting'];
    assert.deepEqual(
      REASON_NAMES.filter((reason) => !seen.has(reason) && !never.includes(reason)),
      [],
    );
  });

  it('need a settable clock wherever a step carries a time', () => {
    const careless = loadCases().filter((test) => !test.virtualTime && test.steps.some((step) => step.atMs !== null));
    assert.deepEqual(
      careless.map((test) => test.name),
      [],
    );
  });
});

describe('the format of cases', () => {
  it('takes a minimal case', () => {
    const [test] = readCases(MINIMAL, 'x.yaml');
    assert.equal(test!.steps[0]!.exchange!.request.path, '/v1/pets');
  });

  it('refuses a field it does not know', () => {
    assert.throws(() => readCases(MINIMAL.replace('name: a', 'name: a\n  nmae: b'), 'x.yaml'), /x\.yaml: .*nmae/s);
  });

  it('refuses an unknown reason', () => {
    assert.throws(() => readCases(MINIMAL.replace('allowed', 'alowed'), 'x.yaml'), /reason/);
  });

  it('refuses a request without an expectation', () => {
    assert.throws(() => readCases(MINIMAL.replace(', expect: { reason: allowed }', ''), 'x.yaml'), /go together/);
  });

  it('puts digests in place of keys, and knows the keys', () => {
    const [test] = readCases(MINIMAL, 'x.yaml');
    assert.ok(test!.policy.includes(`sha256:${createHash('sha256').update('acme-secret-key').digest('hex')}`));
    assert.ok(!test!.policy.includes('acme-secret-key'));
    assert.ok(keysOf(namedPolicy('quotas')).includes('acme-secret-key'));
  });

  it('patches policies as RFC 7396 says', () => {
    assert.deepEqual(mergePatch({ a: { b: 1, c: 2 }, d: [1] }, { a: { b: null, e: 3 }, d: [2] }), {
      a: { c: 2, e: 3 },
      d: [2],
    });
  });

  it('writes bytes as hex and long strings as repeats', () => {
    assert.equal(wireText('hex:00ff41'), '\u0000\u00ffA');
    assert.equal(wireText('/a/repeat(xy, 3)z'), '/a/xyxyxyz');
    assert.equal(wireText('é'), 'Ã©');
  });
});
