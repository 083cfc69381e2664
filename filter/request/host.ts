import { allocate } from "../bytes/arena";
import { View, view, slice, lengthOf, byteAt, indexOf, lowerCase } from "../bytes/view";

/** The host of an `:authority`: lower case, without port and without the root's dot. IPv6 keeps its brackets. */
export function normaliseHost(authority: View): View {
  const host = withoutPort(authority);
  const length = lengthOf(host);
  let i = 0;
  while (i < length && <u32>byteAt(host, i) - 0x41 >= 26) i++;
  if (i == length) return host;
  const lower = allocate(length);
  for (let i = 0; i < length; i++) store<u8>(lower + i, lowerCase(byteAt(host, i)));
  return view(lower, length);
}

function withoutPort(authority: View): View {
  let end = lengthOf(authority);
  if (end > 0 && byteAt(authority, 0) == 0x5b) {
    const bracket = indexOf(authority, 0x5d);
    return bracket < 0 ? authority : slice(authority, 0, bracket + 1);
  }
  const colon = indexOf(authority, 0x3a);
  if (colon >= 0) end = colon;
  if (end > 0 && byteAt(authority, end - 1) == 0x2e) end--;
  return slice(authority, 0, end);
}
