import { ABSENT, View, byteAt, lengthOf, pointerOf, view } from "../bytes/view";
import { MAX_LIST_CLAIM_BYTES } from "../config/contract";

/*
 * A claim that holds several strings: a list, or one string with spaces between its words, as OAuth has its scopes. The host gives a list
 * as pairs whose names are the items:
 *
 *   count (4) │ count × ( length of the name (4) │ length of the value (4), which is 0 ) │ count × ( name │ 0 │ 0 )
 *
 * Nothing says which of them the bytes are. A string of visible characters is no list, because its first four bytes would be too large a
 * count; and a string that is made to look like a list says no more than the same words would with spaces between them.
 */
const SIZES = 4;
const SIZE_BYTES = 8;
/** The two NULs behind a name and behind its value. */
const ENDS = 2;
const SPACE: u8 = 0x20;

let claim: View = ABSENT;
let isList: bool = false;
let itemCount: i32 = 0;
let index: i32 = 0;
/** Where the next item begins. */
let position: i32 = 0;

/** Begins to read the strings of a claim; true for a list. One that is too long has none. */
export function openClaim(value: View): bool {
  claim = lengthOf(value) > MAX_LIST_CLAIM_BYTES ? ABSENT : value;
  isList = readSizes();
  index = 0;
  position = isList ? SIZES + itemCount * SIZE_BYTES : 0;
  return isList;
}

/** The next string, or ABSENT after the last. */
export function nextString(): View {
  return isList ? nextItem() : nextWord();
}

/** True when the bytes are a list, to the last of them. */
function readSizes(): bool {
  const length = lengthOf(claim);
  if (length < SIZES) return false;
  const count = load<u32>(pointerOf(claim));
  if (count > <u32>(length - SIZES) / SIZE_BYTES) return false;
  itemCount = <i32>count;
  let end = SIZES + itemCount * SIZE_BYTES;
  for (let i = 0; i < itemCount; i++) {
    const size = sizeOf(i);
    if (size > <u32>length || load<u32>(sizeAt(i), 4) != 0) return false;
    end += <i32>size + ENDS;
    if (end > length) return false;
  }
  return end == length;
}

function sizeAt(item: i32): usize {
  return pointerOf(claim) + SIZES + <usize>item * SIZE_BYTES;
}

function sizeOf(item: i32): u32 {
  return load<u32>(sizeAt(item));
}

function nextItem(): View {
  if (index == itemCount) return ABSENT;
  const item = view(pointerOf(claim) + position, <i32>sizeOf(index++));
  position += lengthOf(item) + ENDS;
  return item;
}

function nextWord(): View {
  const length = lengthOf(claim);
  while (position < length && byteAt(claim, position) == SPACE) position++;
  if (position >= length) return ABSENT;
  const start = position;
  while (position < length && byteAt(claim, position) != SPACE) position++;
  return view(pointerOf(claim) + start, position - start);
}
