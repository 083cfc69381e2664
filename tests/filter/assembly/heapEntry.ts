/** The heap behind exports, for `heap.test.ts`. */
export function take(bytes: usize): usize {
  return heap.alloc(bytes);
}

export function takeHigh(bytes: usize): usize {
  // @ts-ignore: builtin
  return __alloc_high(bytes);
}

export function resize(pointer: usize, bytes: usize): usize {
  return heap.realloc(pointer, bytes);
}

export function give(pointer: usize): void {
  heap.free(pointer);
}
