import { allocate } from "../bytes/arena";
import { View, lengthOf, pointerOf, view } from "../bytes/view";

/** Header pairs to serialise for the host, in the format that `filter/request/headers` reads. */
/** A mock's headers, and those that Tollgate adds: of quotas, of a lifecycle, of the refusal itself. */
const MAX_PAIRS = 32;
const PAIRS: usize = memory.data(MAX_PAIRS * 16, 8);

/** Where the next pair goes. */
let next: usize = PAIRS;
/** Bytes of the serialised pairs so far. */
let total: usize = 0;

export function beginPairs(): void {
  next = PAIRS;
  total = 4;
}

export function addPair(name: View, value: View): void {
  const pair = next;
  if (pair == PAIRS + MAX_PAIRS * 16) return;
  store<u64>(pair, name);
  store<u64>(pair, value, 8);
  total += 8 + lengthOf(name) + lengthOf(value) + 2;
  next = pair + 16;
}

export function endPairs(): View {
  const start = allocate(total);
  const end = next;
  store<u32>(start, <u32>((end - PAIRS) / 16));
  let sizes = start + 4;
  let to = sizes + (end - PAIRS) / 2;
  for (let pair = PAIRS; pair < end; pair += 16) {
    const name = load<u64>(pair);
    const value = load<u64>(pair, 8);
    store<u32>(sizes, lengthOf(name));
    store<u32>(sizes, lengthOf(value), 4);
    sizes += 8;
    to = copyTerminated(copyTerminated(to, name), value);
  }
  return view(start, <i32>total);
}

function copyTerminated(to: usize, v: View): usize {
  memory.copy(to, pointerOf(v), lengthOf(v));
  store<u8>(to + lengthOf(v), 0);
  return to + lengthOf(v) + 1;
}
