import { allocate } from "../bytes/arena";
import { View, lengthOf, pointerOf, view } from "../bytes/view";

/** Header pairs to serialise for the host, in the format that `filter/request/headers` reads. */
const MAX_PAIRS = 16;
const PAIRS: usize = memory.data(MAX_PAIRS * 16, 8);

let count: i32 = 0;

export function beginPairs(): void {
  count = 0;
}

export function addPair(name: View, value: View): void {
  if (count == MAX_PAIRS) return;
  store<u64>(PAIRS + <usize>count * 16, name);
  store<u64>(PAIRS + <usize>count * 16, value, 8);
  count++;
}

export function endPairs(): View {
  let total: usize = 4;
  for (let i = 0; i < count; i++) total += 8 + lengthOf(nameAt(i)) + lengthOf(valueAt(i)) + 2;
  const start = allocate(total);
  store<u32>(start, count);
  let to = start + 4 + <usize>count * 8;
  for (let i = 0; i < count; i++) {
    store<u32>(start + 4 + <usize>i * 8, lengthOf(nameAt(i)));
    store<u32>(start + 8 + <usize>i * 8, lengthOf(valueAt(i)));
    to = copyTerminated(copyTerminated(to, nameAt(i)), valueAt(i));
  }
  return view(start, <i32>total);
}

function copyTerminated(to: usize, v: View): usize {
  memory.copy(to, pointerOf(v), lengthOf(v));
  store<u8>(to + lengthOf(v), 0);
  return to + lengthOf(v) + 1;
}

function nameAt(index: i32): View {
  return load<u64>(PAIRS + <usize>index * 16);
}

function valueAt(index: i32): View {
  return load<u64>(PAIRS + <usize>index * 16, 8);
}
