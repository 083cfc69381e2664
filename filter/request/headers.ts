import { allocate } from "../bytes/arena";
import { ABSENT, ONES, View, equals, indexOf, lengthOf, pointerOf, slice } from "../bytes/view";

/**
 * The request's headers, as the host serialises them:
 *
 *   u32 n │ n × (u32 name length, u32 value length) │ name NUL value NUL …
 *
 * Names are in lower case and include pseudo-headers; a header that was sent twice appears twice.
 */
export const ENTRY_BYTES: usize = 16;

/** Two views per header: its name and its value. */
let entries: usize = 0;
/** Number of headers. */
export let headerCount: i32 = 0;

/** Reads the list; false, and no headers, when it is malformed. The views point into `pairs`. */
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
    const nameBytes = load<u32>(sizes);
    const valueBytes = load<u32>(sizes, 4);
    if (<u64>nameBytes + <u64>valueBytes + 2 > <u64>(end - at)) return false;
    store<u32>(entry, at);
    store<u32>(entry, nameBytes, 4);
    at += nameBytes + 1;
    store<u32>(entry, at, 8);
    store<u32>(entry, valueBytes, 12);
    at += valueBytes + 1;
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

/** Where the views of the first header lie, name before value; those of the next are `ENTRY_BYTES` further. */
export function firstEntry(): usize {
  return entries;
}

/** Index of the first header called `name` at or after `from`, or -1. */
export function findHeader(name: View, from: i32 = 0): i32 {
  const length = <u32>lengthOf(name);
  for (let i = from; i < headerCount; i++) {
    if (load<u32>(entries + <usize>i * ENTRY_BYTES, 4) == length && equals(headerName(i), name)) return i;
  }
  return -1;
}

/** Like `findHeader`, with `-` and `_` the same: many servers read `x_api_key` as `x-api-key`. */
export function findSpelling(name: View, from: i32 = 0): i32 {
  const length = <u32>lengthOf(name);
  const end = entries + <usize>headerCount * ENTRY_BYTES;
  for (let entry = entries + <usize>from * ENTRY_BYTES; entry < end; entry += ENTRY_BYTES) {
    if (load<u32>(entry, 4) == length && isSpelling(load<u64>(entry), name))
      return <i32>((entry - entries) / ENTRY_BYTES);
  }
  return -1;
}

/** Value of the first header called `name`, or ABSENT. */
export function firstValue(name: View): View {
  const index = findHeader(name);
  return index < 0 ? ABSENT : headerValue(index);
}

/** The xor of `-` (0x2d) and `_` (0x5f), and of no other two characters of lower-case header names. */
const DIFFERENCE: u64 = 0x72;
const LOWEST_BIT_OF_DIFFERENCE = 1;

/** True when two lower-case header names are the same apart from `-` and `_`. */
export function isSpelling(a: View, b: View): bool {
  const length = lengthOf(a);
  if (length != lengthOf(b)) return false;
  const from = pointerOf(a);
  const to = pointerOf(b);
  if (length < 8) {
    for (let i = 0; i < length; i++) {
      if (!areHyphens(<u64>(load<u8>(from + i) ^ load<u8>(to + i)))) return false;
    }
    return true;
  }
  // Eight bytes at a time; the last eight may overlap those before.
  const last = <usize>length - 8;
  for (let i: usize = 0; i < last; i += 8) {
    if (!areHyphens(load<u64>(from + i) ^ load<u64>(to + i))) return false;
  }
  return areHyphens(load<u64>(from + last) ^ load<u64>(to + last));
}

/** True when every byte of the xor is 0 or `DIFFERENCE`. */
// @ts-ignore: decorator
@inline
function areHyphens(xor: u64): bool {
  return xor == 0 || xor == ((xor >> LOWEST_BIT_OF_DIFFERENCE) & ONES) * DIFFERENCE;
}

/**
 * A header that was sent on several lines may arrive as one value: proxies join lines with commas, and Envoy does so for headers
 * that it knows. A comma inside quotes separates too, because a quote may open on one line and close on another.
 */
export const COMMA: u8 = 0x2c;

/** The list member that `nextMember` read, with the spaces around it. */
export let member: View = ABSENT;

/** Reads the member at `from`; returns where the next one begins, or -1 when there is none at `from`. */
export function nextMember(list: View, from: i32): i32 {
  const length = lengthOf(list);
  if (from > length) return -1;
  let end = indexOf(list, COMMA, from);
  if (end < 0) end = length;
  member = slice(list, from, end);
  return end + 1;
}

/** Changes to the request's headers, in order. `Set` replaces all values of a header. */
export const enum EditKind {
  Set,
  Remove,
}


@unmanaged
export class Edit {
  name: View;
  value: View;
  kind: EditKind;
}

/** A route changes at most 128 headers; the rest is for removing `x-tollgate-` headers that a client sent. */
const MAX_EDITS = 512;
const EDITS: usize = heap.alloc(MAX_EDITS * offsetof<Edit>());

export let editCount: i32 = 0;
/** True when there was no room for an edit: then the request must be refused, because the edits are incomplete. */
export let editsOverflowed: bool = false;

export function clearEdits(): void {
  editCount = 0;
  editsOverflowed = false;
}

export function setHeader(name: View, value: View): void {
  add(EditKind.Set, name, value);
}

export function dropHeader(name: View): void {
  add(EditKind.Remove, name, ABSENT);
}

/** Removes the header in every spelling in which it was sent. */
export function removeSpellings(name: View): void {
  removeOthers(name, ABSENT);
}

/** Removes other spellings of a header that is set: a server that does not tell them apart might read one of those instead. */
export function removeOtherSpellings(name: View): void {
  removeOthers(name, name);
}

function removeOthers(name: View, kept: View): void {
  let last = ABSENT;
  for (let i = findSpelling(name); i >= 0; i = findSpelling(name, i + 1)) {
    const spelling = headerName(i);
    if (equals(spelling, kept) || equals(spelling, last)) continue;
    dropHeader(spelling);
    last = spelling;
  }
}

function add(kind: EditKind, name: View, value: View): void {
  if (editCount == MAX_EDITS) {
    editsOverflowed = true;
    return;
  }
  const edit = editAt(editCount++);
  edit.kind = kind;
  edit.name = name;
  edit.value = value;
}

export function editAt(index: i32): Edit {
  return changetype<Edit>(EDITS + <usize>index * offsetof<Edit>());
}
