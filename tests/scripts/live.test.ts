import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiffError } from '../../scripts/diff/error.ts';
import type { Kubectl } from '../../scripts/cluster/kubectl.ts';
import { printDrift } from '../../scripts/diff/drift.ts';
import { liveDrift } from '../../scripts/diff/live.ts';
import { tollgate } from './fakeIo.ts';

// the commands themselves are tried on a real API server in tests/istio/live.ts; here is what kubectl can print

function printing(outputs: Record<string, string>, code = 0): Kubectl {
  return ([command]) =>
    Promise.resolve({ code, stdout: outputs[command!] ?? '', stderr: 'first line\nthe last line\n' });
}

const one = (spec: object, name = 'a'): string =>
  JSON.stringify({ kind: 'WasmPlugin', metadata: { name, namespace: 'n' }, spec }, null, 4);

test('differences in lists and mappings are reported at their paths', async () => {
  const ask = printing({
    create: one({}),
    get: one({ a: [{ b: 1 }, 2], c: 'x'.repeat(300), e: [1] }),
    replace: one({ a: [{ b: 2 }, 2], d: null, e: [1, 2] }),
  });
  assert.deepEqual((await liveDrift('dir', ask)).map(printDrift), [
    'WasmPlugin n/a: spec.a.0.b: is 1; the file says 2',
    'WasmPlugin n/a: spec.d: is missing; the file says null',
    'WasmPlugin n/a: spec.e: is [1]; the file says [1,2]',
    `WasmPlugin n/a: spec.c: is "${'x'.repeat(199)}…; no file says so`,
  ]);
});

test('several objects come as a List or one after the other', async () => {
  const both = `${one({}, 'a')}\n${one({}, 'b')}\n`;
  const list = JSON.stringify({ kind: 'List', items: [JSON.parse(one({}, 'a')), JSON.parse(one({}, 'b'))] });
  assert.deepEqual(await liveDrift('dir', printing({ create: both, get: list, replace: both })), []);
  assert.deepEqual(
    (await liveDrift('dir', printing({ create: both, get: one({}, 'a'), replace: one({}, 'a') }))).map(printDrift),
    ['WasmPlugin n/b: is not in the cluster'],
  );
});

test("an object that is missing in kubectl's output is reported", async () => {
  await assert.rejects(
    liveDrift('dir', printing({ create: one({}), get: one({}) })),
    new DiffError('kubectl replace: said nothing of WasmPlugin n/a'),
  );
});

test("a failure is reported with kubectl's last line, and a missing kubectl as such", async () => {
  await assert.rejects(liveDrift('dir', printing({}, 1)), new DiffError('kubectl create: the last line'));
  await assert.rejects(
    liveDrift('dir', () => Promise.resolve({ code: null, stdout: '', stderr: '' })),
    /kubectl is not on PATH/,
  );
});

test('--live goes with no policy and --context with --live only', async () => {
  assert.deepEqual(await tollgate(['diff', '--live', 'dir', 'a.yaml']), {
    code: 2,
    out: '',
    err: 'tollgate diff: --live takes a DIR and no policy; see tollgate diff --help\n',
  });
  assert.deepEqual(await tollgate(['diff', '--context', 'x', 'a', 'b']), {
    code: 2,
    out: '',
    err: 'tollgate diff: --context goes with --live; see tollgate diff --help\n',
  });
});
