import { begin, end, writeByte, writeView } from "../bytes/arena";
import { View, equals, equalsLower, lengthOf, literal, trim } from "../bytes/view";
import { COMMA, dropHeader, member, nextMember, setHeader } from "./headers";

/**
 * `Connection` nominates headers that the next hop drops (RFC 9110, 7.6.1). Envoy drops them itself and removes the header, except
 * for upgrades: there a caller could make the next hop drop the consumer's name or a header that a route sets.
 */
const CONNECTION = literal("connection");
const UPGRADE = literal("upgrade");
const KEEP_ALIVE = literal("keep-alive");
const CLOSE = literal("close");

export function isConnection(name: View): bool {
  return equals(name, CONNECTION);
}

/** Keeps only those options of a `Connection` header that are about the connection itself. */
export function forgetNominations(list: View): void {
  if (nominates(list)) writeOptions(list);
}

function nominates(list: View): bool {
  for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
    if (!isOption(trim(member))) return true;
  }
  return false;
}

function writeOptions(list: View): void {
  begin(lengthOf(list));
  let some = false;
  for (let at = nextMember(list, 0); at >= 0; at = nextMember(list, at)) {
    const option = trim(member);
    if (!isOption(option)) continue;
    if (some) {
      writeByte(COMMA);
      writeByte(0x20);
    }
    writeView(option);
    some = true;
  }
  if (some) setHeader(CONNECTION, end());
  else dropHeader(CONNECTION);
}

function isOption(option: View): bool {
  return equalsLower(option, UPGRADE) || equalsLower(option, KEEP_ALIVE) || equalsLower(option, CLOSE);
}
