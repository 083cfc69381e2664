/**
 * The module's heap, which `scripts/build/heap.mjs` puts in place of AssemblyScript's own. Wasm memory never shrinks, so this heap
 * takes the lowest free block that fits and grows memory only by what is missing; AssemblyScript's doubles it.
 *
 *   block in use   size │ flags (4)   payload
 *   free block     size │ flags (4)   next (4)   previous (4)   …   address of the block (4)
 *
 * `size` is the payload's: a multiple of 16, plus 12, so that payloads are aligned to 16 bytes; the flags are its low bits. Free
 * blocks of at least 2^n but fewer than 2^(n+1) bytes are in list n. An empty block in use marks the end of memory.
 */
const HEADER_BYTES: usize = 4;
const LEAST_BYTES: usize = 12;
const MOST_BYTES: usize = 0x3fffffff;
const FREE: usize = 1;
/** The block to the left is free, and the word before this block holds its address. */
const LEFT_FREE: usize = 2;
const FLAGS: usize = FREE | LEFT_FREE;
const LIST_COUNT: usize = 32;

// @ts-ignore: decorator
@lazy const LISTS: usize = memory.data(LIST_COUNT * 4, 4);
/** The empty block at the end; 0 before the first allocation. */
// @ts-ignore: decorator
@lazy let end: usize = 0;

// @ts-ignore: decorator
@global @unsafe
export function __alloc(bytes: usize): usize {
  const size = sizeFor(bytes);
  const block = open(size, false, size);
  use(block, sizeOf(block), size);
  return block + HEADER_BYTES;
}

/**
 * Like `__alloc`, but from the end of the highest free block, which is kept for large, short-lived values. When memory must grow,
 * it grows by a sixteenth more than needed, so that the next, slightly larger value fits in the same place.
 */
// @ts-ignore: decorator
@global @unsafe
export function __alloc_high(bytes: usize): usize {
  const size = sizeFor(bytes);
  const low = open(size, true, size + (size >> 4));
  const room = sizeOf(low);
  const high = low + room - size;
  if (high < low + HEADER_BYTES + LEAST_BYTES) {
    use(low, room, size);
    return low + HEADER_BYTES;
  }
  store<usize>(high, size);
  use(high, size, size);
  link(low, room - size - HEADER_BYTES);
  return high + HEADER_BYTES;
}

// @ts-ignore: decorator
@global @unsafe
export function __realloc(payload: usize, bytes: usize): usize {
  const size = sizeFor(bytes);
  const block = payload - HEADER_BYTES;
  const right = rightOf(block);
  let room = sizeOf(block);
  if (room < size && load<usize>(right) & FREE) room += HEADER_BYTES + sizeOf(right);
  if (room < size) {
    const moved = __alloc(bytes);
    memory.copy(moved, payload, sizeOf(block));
    __free(payload);
    return moved;
  }
  if (room > sizeOf(block)) unlink(right);
  use(block, room, size);
  return payload;
}

// @ts-ignore: decorator
@global @unsafe
export function __free(payload: usize): void {
  let block = payload - HEADER_BYTES;
  let size = sizeOf(block);
  const right = rightOf(block);
  if (load<usize>(right) & FREE) {
    unlink(right);
    size += HEADER_BYTES + sizeOf(right);
  }
  if (load<usize>(block) & LEFT_FREE) {
    const left = load<usize>(block - HEADER_BYTES);
    unlink(left);
    size += HEADER_BYTES + sizeOf(left);
    block = left;
  }
  link(block, size);
}

/** The size of a block for a payload of `bytes`. */
function sizeFor(bytes: usize): usize {
  if (bytes > MOST_BYTES) unreachable();
  return max(LEAST_BYTES, ((bytes + HEADER_BYTES + 15) & ~15) - HEADER_BYTES);
}

// @ts-ignore: decorator
@inline
function sizeOf(block: usize): usize {
  return load<usize>(block) & ~FLAGS;
}

// @ts-ignore: decorator
@inline
function rightOf(block: usize): usize {
  return block + HEADER_BYTES + sizeOf(block);
}

// @ts-ignore: decorator
@inline
function listOf(size: usize): usize {
  return LISTS + ((31 - clz(size)) << 2);
}

/** The lowest (or highest) free block with room for `size` bytes; 0 when there is none. */
function find(size: usize, highest: bool): usize {
  let found: usize = 0;
  for (let list = listOf(size); list < LISTS + LIST_COUNT * 4; list += 4) {
    for (let block = load<usize>(list); block != 0; block = load<usize>(block, 4)) {
      if (sizeOf(block) >= size && (found == 0 || block > found == highest)) found = block;
    }
  }
  return found;
}

/** A free block of at least `size` bytes, removed from its list; when memory must grow for it, one of `fresh` bytes. */
function open(size: usize, highest: bool, fresh: usize): usize {
  if (end == 0) begin();
  let block = find(size, highest);
  if (block == 0) block = grow(fresh);
  unlink(block);
  return block;
}

/** Marks the first `size` bytes of a block of `room` bytes, which is in no list, as used; frees the rest if a block fits there. */
function use(block: usize, room: usize, size: usize): void {
  const flags = load<usize>(block) & LEFT_FREE;
  if (room - size >= HEADER_BYTES + LEAST_BYTES) {
    const rest = block + HEADER_BYTES + size;
    store<usize>(block, size | flags);
    store<usize>(rest, room - size - HEADER_BYTES);
    __free(rest + HEADER_BYTES);
  } else {
    store<usize>(block, room | flags);
    const right = rightOf(block);
    store<usize>(right, load<usize>(right) & ~LEFT_FREE);
  }
}

/** Marks a block as free and adds it to its list. Its neighbours must be in use. */
function link(block: usize, size: usize): void {
  const list = listOf(size);
  const next = load<usize>(list);
  store<usize>(block, size | FREE);
  store<usize>(block, next, 4);
  store<usize>(block, 0, 8);
  if (next != 0) store<usize>(next, block, 8);
  store<usize>(list, block);
  const right = rightOf(block);
  store<usize>(right - HEADER_BYTES, block);
  store<usize>(right, load<usize>(right) | LEFT_FREE);
}

function unlink(block: usize): void {
  const next = load<usize>(block, 4);
  const previous = load<usize>(block, 8);
  if (next != 0) store<usize>(next, previous, 8);
  if (previous != 0) store<usize>(previous, next, 4);
  else store<usize>(listOf(sizeOf(block)), next);
}

/** Puts the empty end block at the start of the heap; `extend` moves it to the end of memory. */
function begin(): void {
  end = ((__heap_base + HEADER_BYTES + 15) & ~15) - HEADER_BYTES;
  if (end + HEADER_BYTES > (<usize>memory.size()) << 16 && memory.grow(1) < 0) unreachable();
  store<usize>(end, 0);
  if (((<usize>memory.size()) << 16) - end >= 2 * HEADER_BYTES + LEAST_BYTES) extend();
}

/** Grows memory until a free block of at least `size` bytes lies at its end. */
function grow(size: usize): usize {
  const free = load<usize>(end) & LEFT_FREE ? HEADER_BYTES + sizeOf(load<usize>(end - HEADER_BYTES)) : 0;
  const missing = size + HEADER_BYTES - free;
  if (memory.grow(<i32>((missing + 0xffff) >> 16)) < 0) unreachable();
  extend();
  return load<usize>(end - HEADER_BYTES);
}

/** Makes the memory above `end` part of the heap. */
function extend(): void {
  const block = end;
  end = ((<usize>memory.size()) << 16) - HEADER_BYTES;
  store<usize>(end, 0);
  store<usize>(block, (load<usize>(block) & LEFT_FREE) | (end - block - HEADER_BYTES));
  __free(block + HEADER_BYTES);
}
