import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import binaryen from 'binaryen';
import { BULK_BYTES, INSTRUCTIONS, counted } from '../../harness/count/counted.ts';
import { wasm } from '../../scripts/host/abi.ts';

interface Counted {
  readonly [INSTRUCTIONS]: { value: bigint };
  readonly [BULK_BYTES]: { value: bigint };
  run(n: number): number;
}

/** Instructions and bulk bytes of `run(n)` in a function with this body. */
function count(body: string, n: number): [number, number] {
  const text = `(module (memory 1) (func (export "run") (param $n i32) (result i32) (local $i i32) ${body}))`;
  const parsed = binaryen.parseText(text);
  parsed.setFeatures(binaryen.Features.All);
  const module = new wasm.Module(counted(parsed.emitBinary()));
  parsed.dispose();
  const guest = new wasm.Instance(module, {}).exports as unknown as Counted;
  guest.run(n);
  return [Number(guest[INSTRUCTIONS].value), Number(guest[BULK_BYTES].value)];
}

describe('counted instructions', () => {
  it('are those of a straight line', () => {
    assert.deepEqual(count('(i32.add (local.get $n) (i32.const 1))', 5), [3, 0]);
  });

  it('are those of the branch that is taken', () => {
    const body = '(if (result i32) (local.get $n) (then (i32.const 1)) (else (i32.add (i32.const 1) (i32.const 2))))';
    assert.deepEqual(count(body, 1), [3, 0]);
    assert.deepEqual(count(body, 0), [5, 0]);
  });

  it('are those of every round of a loop', () => {
    // A round: get, const, add, tee, get, lt, br_if. Then the last get.
    const body =
      '(loop $again (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n)))) (local.get $i)';
    assert.deepEqual(count(body, 1), [7 + 1, 0]);
    assert.deepEqual(count(body, 1000), [7000 + 1, 0]);
  });

  it('end where a block is left', () => {
    const body = '(block $out (br_if $out (local.get $n)) (local.set $i (i32.const 7))) (local.get $i)';
    assert.deepEqual(count(body, 1), [2 + 1, 0]);
    assert.deepEqual(count(body, 0), [2 + 2 + 1, 0]);
  });

  it('tell the bytes that are moved at once', () => {
    const body =
      '(memory.fill (i32.const 0) (i32.const 1) (local.get $n)) (memory.copy (i32.const 100) (i32.const 0) (i32.const 3)) (local.get $i)';
    assert.deepEqual(count(body, 64), [9, 67]);
  });
});
