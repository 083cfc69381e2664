import { allocate } from "../bytes/arena";
import { View, ABSENT, view, pointerOf, lengthOf, equals } from "../bytes/view";

/**
 * The request's headers as the host gives them in one piece:
 *
 *   u32 n │ n × (u32 name length, u32 value length) │ name NUL value NUL …
 *
 * Names are in lower case, pseudo headers included; a header that came twice is there twice.
 */
const ENTRY_BYTES: usize = 16;

let entries: usize = 0;
/** Headers in the list. */
export let headerCount: i32 = 0;

/** Reads the list; false, with no headers, when the bytes are not one. The views point into `pairs`. */
export function readHeaders(pairs: View): bool {
  headerCount = 0;
  const base = pointerOf(pairs);
  const length = <u64>lengthOf(pairs);
  if (length < 4) return false;
  const count = <u64>load<u32>(base);
  let at = 4 + count * 8;
  if (at > length) return false;
  entries = allocate(<usize>count * ENTRY_BYTES);
  for (let i: u64 = 0; i < count; i++) {
    const nameLength = <u64>load<u32>(base + 4 + <usize>i * 8);
    const valueLength = <u64>load<u32>(base + 8 + <usize>i * 8);
    if (at + nameLength + valueLength + 2 > length) return false;
    const entry = entries + <usize>i * ENTRY_BYTES;
    store<u64>(entry, view(base + <usize>at, <i32>nameLength));
    at += nameLength + 1;
    store<u64>(entry, view(base + <usize>at, <i32>valueLength), 8);
    at += valueLength + 1;
  }
  headerCount = <i32>count;
  return true;
}

// @ts-ignore: decorator
@inline
export function headerName(index: i32): View {
  return load<u64>(entries + <usize>index * ENTRY_BYTES);
}

// @ts-ignore: decorator
@inline
export function headerValue(index: i32): View {
  return load<u64>(entries + <usize>index * ENTRY_BYTES, 8);
}

/** Index of the first header called `name` at or after `from`, or -1. */
export function findHeader(name: View, from: i32 = 0): i32 {
  for (let i = from; i < headerCount; i++) {
    if (equals(headerName(i), name)) return i;
  }
  return -1;
}

/** Value of the first header called `name`, or ABSENT. */
export function firstValue(name: View): View {
  const index = findHeader(name);
  return index < 0 ? ABSENT : headerValue(index);
}
