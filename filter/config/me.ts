import { begin, end, writeView } from "../bytes/arena";
import { NONE } from "../bytes/rows";
import { ABSENT, View, byteAt, lengthOf, literal } from "../bytes/view";
import { Anonymous, Api } from "../tables/api";
import { Tables } from "../tables/tables";
import { MAX_ME_PATH_BYTES, MAX_ME_PER_MINUTE, MAX_OPERATIONS, MAX_SEGMENTS, ME_PER_MINUTE } from "./contract";
import { Reader } from "./reader";
import { readPrefix } from "./rule";
import * as Field from "./field";

const GET = literal("GET");
const HEAD = literal("HEAD");
const SLASH: u8 = 0x2f;

/** `{"path": "/.tollgate/me", "perMinute": 30}`: where callers are told of their quotas. */
export function decodeMe(reader: Reader, tables: Tables, api: Api): void {
  api.mePerMinute = ME_PER_MINUTE;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.takes(Field.PATH, 0)) api.mePath = tables.texts.keep(readMePath(reader));
    else if (reader.takes(Field.PER_MINUTE, 1)) api.mePerMinute = <i32>reader.integer(1, MAX_ME_PER_MINUTE);
    else reader.unknownField();
  }
  reader.needs(0, Field.PATH);
}

/** A path that is a template without variables. */
function readMePath(reader: Reader): View {
  const path = readPrefix(reader);
  if (reader.failed) return path;
  const length = lengthOf(path);
  let segments = 0;
  for (let i = 0; i < length; i++) {
    if (byteAt(path, i) == SLASH) segments++;
  }
  if (length < 2 || length > MAX_ME_PATH_BYTES || byteAt(path, length - 1) == SLASH || segments > MAX_SEGMENTS)
    reader.fail(
      literal("must be a path of a segment or more, without a slash at its end, of at most %d bytes"),
      MAX_ME_PATH_BYTES,
    );
  return path;
}

/**
 * Adds the operation that tells callers of their quotas, once those that the API lists are read. It asks for a key, takes nothing from any
 * quota and goes to no upstream.
 */
export function addMe(reader: Reader, tables: Tables, api: Api): void {
  if (api.mePath == ABSENT) return;
  if (tables.operations.count == MAX_OPERATIONS)
    return reader.fail(literal("at most %d operations in all"), MAX_OPERATIONS);
  // An API that lists nothing takes every other path.
  if (api.operationCount == 0) api.unlistedAllowed = true;
  api.operationCount++;
  const operation = tables.operations.add();
  begin();
  writeView(GET);
  writeView(api.mePath);
  operation.name = tables.texts.keep(end());
  operation.path = api.mePath;
  operation.next = NONE;
  operation.mePerMinute = api.mePerMinute;
  operation.anonymous = Anonymous.Deny;
  operation.firstMethod = tables.values.count;
  operation.methodCount = 2;
  tables.values.add().value = GET;
  tables.values.add().value = HEAD;
}
