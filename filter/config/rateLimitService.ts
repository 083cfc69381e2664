import { Tables } from "../tables/tables";
import { Reader } from "./reader";
import * as Field from "./field";

const MAX_CLUSTER_BYTES = 255;
const MAX_DOMAIN_BYTES = 127;
/** No request waits longer than this, whatever a config says. */
const MAX_TIMEOUT_MILLISECONDS: i64 = 1000;
const TIMEOUT_MILLISECONDS = 50;

export function decodeRateLimitService(reader: Reader, tables: Tables): void {
  const rateLimitService = tables.rateLimitService;
  rateLimitService.timeoutMilliseconds = TIMEOUT_MILLISECONDS;
  let seen: u32 = 0;
  reader.beginObject();
  while (reader.nextField()) {
    if (reader.is(Field.CLUSTER)) {
      seen = reader.mark(seen, 0);
      rateLimitService.cluster = tables.texts.keep(reader.text(1, MAX_CLUSTER_BYTES));
    } else if (reader.is(Field.DOMAIN)) {
      seen = reader.mark(seen, 1);
      rateLimitService.domain = tables.texts.keep(reader.text(1, MAX_DOMAIN_BYTES));
    } else if (reader.is(Field.TIMEOUT)) {
      seen = reader.mark(seen, 2);
      rateLimitService.timeoutMilliseconds = <i32>reader.integer(1, MAX_TIMEOUT_MILLISECONDS);
    } else reader.unknownField();
  }
  reader.need(seen, 0, Field.CLUSTER);
  reader.need(seen, 1, Field.DOMAIN);
}
