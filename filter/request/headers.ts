import { allocate } from "../bytes/arena";
import { View, ABSENT, pointerOf, lengthOf, equals } from "../bytes/view";
import { isSpelling } from "./spelling";

/**
 * The request's headers as the host gives them in one piece:
 *
 *   u32 n │ n × (u32 name length, u32 value length) │ name NUL value NUL …
 *
 * Names are in lower case, pseudo headers included; a header that came twice is there twice.
 */
const ENTRY_BYTES: usize = 16;

/** A view of the name and one of the value of each header. */
let entries: usize = 0;
/** Headers in the list. */
export let headerCount: i32 = 0;

/** Reads the list; false, with no headers, when the bytes are not one. The views point into `pairs`. */
export function readHeaders(pairs: View): bool {
  headerCount = 0;
  const base = pointerOf(pairs);
  const length = <usize>lengthOf(pairs);
  if (length < 4) return false;
  const count = load<u32>(base);
  if (count > (length - 4) / 8) return false;
  const sizesEnd = base + 4 + <usize>count * 8;
  const end = base + length;
  let at = sizesEnd;
  let entry = allocate(<usize>count * ENTRY_BYTES);
  entries = entry;
  for (let sizes = base + 4; sizes < sizesEnd; sizes += 8) {
    const nameLength = load<u32>(sizes);
    const valueLength = load<u32>(sizes, 4);
    if (<u64>nameLength + <u64>valueLength + 2 > <u64>(end - at)) return false;
    store<u32>(entry, at);
    store<u32>(entry, nameLength, 4);
    at += nameLength + 1;
    store<u32>(entry, at, 8);
    store<u32>(entry, valueLength, 12);
    at += valueLength + 1;
    entry += ENTRY_BYTES;
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
  const length = <u32>lengthOf(name);
  for (let i = from; i < headerCount; i++) {
    if (nameLength(i) == length && equals(headerName(i), name)) return i;
  }
  return -1;
}

/** The same for either spelling of the name: many servers read `x_api_key` as `x-api-key`. */
export function findSpelling(name: View, from: i32 = 0): i32 {
  const length = <u32>lengthOf(name);
  for (let i = from; i < headerCount; i++) {
    if (nameLength(i) == length && isSpelling(headerName(i), name)) return i;
  }
  return -1;
}

// @ts-ignore: decorator
@inline
function nameLength(index: i32): u32 {
  return load<u32>(entries + <usize>index * ENTRY_BYTES, 4);
}

/** Value of the first header called `name`, or ABSENT. */
export function firstValue(name: View): View {
  const index = findHeader(name);
  return index < 0 ? ABSENT : headerValue(index);
}
