/**
 * Scratch memory of one callback: bytes that the host returns, and texts built for it. Allocation bumps a pointer;
 * `resetArena` at the start of a callback frees everything at once. What does not fit gets a block of its own from the
 * heap, freed by the same reset.
 */
const ARENA_BYTES: usize = 64 * 1024;

const base: usize = heap.alloc(ARENA_BYTES);
let next: usize = base;
/** Newest oversize block; its first 8 bytes point to the one before. */
let oversize: usize = 0;

/** Uninitialised memory of at least `bytes`, aligned to 8, valid until the next reset. */
export function allocate(bytes: usize): usize {
  const size = (bytes + 7) & ~7;
  if (size <= base + ARENA_BYTES - next) {
    const pointer = next;
    next += size;
    return pointer;
  }
  const block = allocateHigh(size + 8);
  store<usize>(block, oversize);
  oversize = block;
  return block + 8;
}

export function resetArena(): void {
  next = base;
  while (oversize != 0) {
    const previous = load<usize>(oversize);
    heap.free(oversize);
    oversize = previous;
  }
}

/**
 * A block for a large value that is soon gone again, such as a plugin config: at the memory's end, so that what is made of
 * the value lies below.
 */
function allocateHigh(bytes: usize): usize {
  // The heap of the module has this function; the one that unit tests run on does not.
  // @ts-ignore: builtin
  return isDefined(__alloc_high) ? __alloc_high(bytes) : heap.alloc(bytes);
}
