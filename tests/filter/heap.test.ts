import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { compileModule } from '../../scripts/build/compile.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';
import { Random } from '../../harness/random.ts';
import { type WasmMemory, type WasmModule, wasm } from '../../scripts/host/abi.ts';

const STEPS = 20_000;
const MOST_BYTES = 5000;
const PAGE_BYTES = 65_536;

interface Heap {
  readonly memory: WasmMemory;
  take(bytes: number): number;
  takeHigh(bytes: number): number;
  resize(pointer: number, bytes: number): number;
  give(pointer: number): void;
}

interface Block {
  readonly pointer: number;
  readonly bytes: number;
  readonly mark: number;
}

let scratch = '';
let module: WasmModule;
before(async () => {
  scratch = await mkdtemp(join(inPackage('build'), '.test-'));
  const { path } = await compileModule(
    inPackage('tests', 'filter', 'assembly', 'heapEntry.ts'),
    join(scratch, 'heap.wasm'),
  );
  module = new wasm.Module(await readFile(path));
});
after(() => rm(scratch, { recursive: true, force: true }));

function openHeap(): Heap {
  return new wasm.Instance(module, { env: {} }).exports as unknown as Heap;
}

/** Fills a block with its mark; a block that overlapped another would show at `check`. */
function fill(heap: Heap, block: Block): Block {
  assert.equal(block.pointer % 16, 0);
  assert.ok(block.pointer + block.bytes <= heap.memory.buffer.byteLength);
  new Uint8Array(heap.memory.buffer, block.pointer, block.bytes).fill(block.mark);
  return block;
}

function check(heap: Heap, block: Block, bytes = block.bytes): void {
  const found = Buffer.from(heap.memory.buffer, block.pointer, bytes);
  assert.ok(
    found.equals(Buffer.alloc(bytes, block.mark)),
    `${bytes} bytes at ${block.pointer} are as they were written`,
  );
}

describe('the heap', () => {
  for (let seed = 1; seed <= 5; seed++) {
    it(`keeps blocks apart through takes, resizes and gives in random order (seed ${seed})`, () => {
      const heap = openHeap();
      const random = new Random(seed);
      const blocks: Block[] = [];
      for (let i = 0; i < STEPS; i++) {
        const bytes = random.chance(0.1) ? random.below(60) : random.below(MOST_BYTES);
        const mark = i & 0xff;
        const chosen = random.below(blocks.length);
        if (blocks.length < 5 || (random.chance(0.5) && blocks.length < 200)) {
          blocks.push(
            fill(heap, { pointer: random.chance(0.2) ? heap.takeHigh(bytes) : heap.take(bytes), bytes, mark }),
          );
        } else if (random.chance(0.4)) {
          const old = blocks[chosen]!;
          const pointer = heap.resize(old.pointer, bytes);
          check(heap, { ...old, pointer }, Math.min(old.bytes, bytes));
          blocks[chosen] = fill(heap, { pointer, bytes, mark });
        } else {
          const [block] = blocks.splice(chosen, 1);
          check(heap, block!);
          heap.give(block!.pointer);
        }
      }
      for (const block of blocks) check(heap, block);
      const used = 200 * (MOST_BYTES + 20);
      assert.ok(
        heap.memory.buffer.byteLength < 2 * used,
        `${heap.memory.buffer.byteLength} bytes for at most ${used} in use`,
      );
    });
  }

  it('makes one free block of all that is given back, in any order', () => {
    const heap = openHeap();
    const random = new Random(7);
    const pointers = Array.from({ length: 300 }, () => heap.take(1000));
    const before = heap.memory.buffer.byteLength;
    while (pointers.length > 0) heap.give(pointers.splice(random.below(pointers.length), 1)[0]!);
    heap.take(300 * 1000);
    assert.equal(heap.memory.buffer.byteLength, before);
  });

  it('grows by what is missing, a page at most above it', () => {
    const heap = openHeap();
    heap.take(1_000_000);
    const before = heap.memory.buffer.byteLength;
    heap.take(1_000_000);
    const grown = heap.memory.buffer.byteLength - before;
    assert.ok(grown > 1_000_000 - PAGE_BYTES && grown <= 1_000_000 + PAGE_BYTES, `${grown} bytes more`);
  });

  it('takes small blocks from below and high ones from above', () => {
    const heap = openHeap();
    const room = heap.take(100_000);
    heap.take(10);
    heap.give(room);
    const high = heap.takeHigh(1000);
    assert.ok(heap.take(1000) < high);
    assert.ok(high >= room + 100_000 - 1100);
  });

  it('traps on a size that no memory has instead of giving less', () => {
    const heap = openHeap();
    assert.throws(() => heap.take(0xffff_ffff));
    assert.throws(() => heap.take(0x4000_0000));
  });
});
