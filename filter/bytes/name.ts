import { ABSENT, View, lengthOf, pointerOf, view } from "./view";

/**
 * A name of at most 255 bytes by one pointer, for records that there are many of.
 *
 *   length (1) │ bytes
 */
export type Name = u32;

export function viewOf(name: Name): View {
  return view(<usize>name + 1, load<u8>(<usize>name));
}

/**
 * The text between quotes at `v` as a name, without a copy: its length goes over the opening quote, which nobody reads
 * again. 0 for ABSENT.
 */
export function nameInPlace(v: View): Name {
  if (v == ABSENT) return 0;
  const pointer = pointerOf(v) - 1;
  store<u8>(pointer, <u8>lengthOf(v));
  return <Name>pointer;
}
