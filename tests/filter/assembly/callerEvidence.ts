import { ABSENT, Evidence, View, allocate, begin, end, equals, literal, view, writeView } from "../../../filter/index";

/** A property of whoever calls, as the test has it: its length, or -1; the bytes are then at `to`, if there is room for them. */
// @ts-ignore: decorator
@external("test", "property")
declare function property(path: usize, pathLength: i32, to: usize, room: i32): i32;

const ROOM = 64 * 1024;
const URI_SAN = literal("connection\0uri_san_peer_certificate");
const RESULT = literal("metadata\0filter_metadata\0envoy.filters.http.rbac\0tollgate_shadow_engine_result");
const CLAIMS = literal("metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0payload\0");

/** What the binding reads of the host, read of the test's model of it. */
export class CallerEvidence extends Evidence {
  workload(): View {
    return read(URI_SAN);
  }

  isVerified(): bool {
    return equals(read(RESULT), literal("allowed"));
  }

  claim(name: View): View {
    begin();
    writeView(CLAIMS);
    writeView(name);
    return read(end());
  }
}

function read(path: View): View {
  const to = allocate(ROOM);
  const length = property(<usize>(<u32>path), <i32>(path >> 32), to, ROOM);
  return length <= 0 ? ABSENT : view(to, length);
}
