import { View } from "../bytes/view";

/** What of a request a key source looks at. All from `Bare` on are about that header. */
export const enum KeySourceKind {
  Header,
  /** A header in which something stands before the key. */
  PrefixedHeader,
  Query,
  Cookie,
  /** `Authorization` with nothing but the key. */
  Bare,
  /** `Authorization` with the name of a scheme before the key. */
  Authorization,
  /** The user name of `Basic`. */
  BasicUser,
  /** The password of `Basic`. */
  BasicPassword,
}

/** Where a key may be. */
@unmanaged
export class KeySource {
  kind: KeySourceKind;
  /** One bit, by its number in its list. */
  bit: u32;
  /** True for the first source of its list that looks at `Authorization`: all of them are read together. */
  leads: bool;
  /** Of a header, a parameter or a cookie; of a scheme, in lower case; ABSENT where there is none. */
  name: View;
  /** What stands before the key in a header, in lower case; otherwise ABSENT. */
  prefix: View;
  /** How a 401 asks for a key in this place, up to the realm. */
  challenge: View;
}

export const KEY_SOURCE_BYTES: usize = offsetof<KeySource>();

/**
 * Where keys are looked for, and what becomes of them: of a policy, or of an API, which may have the policy's. The records lie one after the
 * other in `Tables.keySources`.
 */
@unmanaged
export class KeySourceList {
  /** Addresses of the first record and behind the last; until everything is read, their numbers, and both 0 for the policy's. */
  firstSource: usize;
  pastSource: usize;
  forwardKey: ForwardKey;
}

/** Whether the upstream sees the key. */
export const enum ForwardKey {
  /** As the policy says; for no API once everything is read. */
  Inherited,
  No,
  Yes,
}
