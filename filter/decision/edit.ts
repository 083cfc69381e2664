import { View, ABSENT } from "../bytes/view";

/** Changes to the request's headers, in order. `set` replaces every value a header has. */
export const enum EditKind { Set, Remove }

@unmanaged
class Edit {
  name: View;
  value: View;
  kind: EditKind;
}

/** A route sets and removes what its policy says; a policy cannot say more than this (checked when it is decoded). */
const MAX_EDITS = 512;
const EDITS: usize = heap.alloc(MAX_EDITS * offsetof<Edit>());

export let editCount: i32 = 0;

export function clearEdits(): void {
  editCount = 0;
}

export function setHeader(name: View, value: View): void {
  add(EditKind.Set, name, value);
}

export function removeHeader(name: View): void {
  add(EditKind.Remove, name, ABSENT);
}

function add(kind: EditKind, name: View, value: View): void {
  if (editCount == MAX_EDITS) return;
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
