import { View, ABSENT, equals } from "../bytes/view";
import { findSpelling, headerName } from "../request/headers";

/** Changes to the request's headers, in order. `set` replaces every value a header has. */
export const enum EditKind {
  Set,
  Remove,
}


@unmanaged
class Edit {
  name: View;
  value: View;
  kind: EditKind;
}

/** A route changes at most 128 headers; the rest is for headers of ours that a client sent. */
const MAX_EDITS = 512;
const EDITS: usize = heap.alloc(MAX_EDITS * offsetof<Edit>());

export let editCount: i32 = 0;
/** True when not every edit found room: the request must not go on with the others. */
export let editsOverflowed: bool = false;

export function clearEdits(): void {
  editCount = 0;
  editsOverflowed = false;
}

export function setHeader(name: View, value: View): void {
  add(EditKind.Set, name, value);
}

export function removeHeader(name: View): void {
  add(EditKind.Remove, name, ABSENT);
}

/** Removes the header under each spelling that it came in. */
export function removeSpellings(name: View): void {
  removeOthers(name, ABSENT);
}

/** Makes way for a header that is set: servers that know no difference might read another spelling in its place. */
export function removeOtherSpellings(name: View): void {
  removeOthers(name, name);
}

function removeOthers(name: View, kept: View): void {
  let last = ABSENT;
  for (let i = findSpelling(name); i >= 0; i = findSpelling(name, i + 1)) {
    const spelling = headerName(i);
    if (equals(spelling, kept) || equals(spelling, last)) continue;
    removeHeader(spelling);
    last = spelling;
  }
}

function add(kind: EditKind, name: View, value: View): void {
  if (editCount == MAX_EDITS) {
    editsOverflowed = true;
    return;
  }
  const edit = changetype<Edit>(EDITS + <usize>editCount * offsetof<Edit>());
  editCount++;
  edit.kind = kind;
  edit.name = name;
  edit.value = value;
}

export function editKind(index: i32): EditKind {
  return changetype<Edit>(EDITS + <usize>index * offsetof<Edit>()).kind;
}

export function editName(index: i32): View {
  return changetype<Edit>(EDITS + <usize>index * offsetof<Edit>()).name;
}

export function editValue(index: i32): View {
  return changetype<Edit>(EDITS + <usize>index * offsetof<Edit>()).value;
}
