import { View, ABSENT } from "../bytes/view";

/** Changes to the request's headers, in order. `set` replaces every value a header has. */
export const enum EditKind { Set, Remove }

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
