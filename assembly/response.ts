import { NONE, Tables, RATELIMIT, RATELIMIT_POLICY, lengthOf, rateLimit, rateLimitPolicy } from "../filter/index";
import { HeaderMap, replaceHeader } from "./host";
import { findRoot } from "./root";
import { closeStream, findStream, standingsOf } from "./stream";

/** Shows the quotas' standings of an allowed request on its response. Replies of our own bring theirs along. */
export function onResponseHeaders(streamId: u32): void {
  const stream = findStream(streamId);
  if (stream == null) return;
  const root = findRoot(stream.rootId);
  const tables: Tables | null = root == null ? null : root.tables;
  if (tables != null && stream.plan != NONE) {
    const plan = tables.plans.at(stream.plan);
    replaceHeader(HeaderMap.Response, RATELIMIT_POLICY, rateLimitPolicy(tables, plan, standingsOf(stream)));
    const state = rateLimit(tables, plan, standingsOf(stream));
    if (lengthOf(state) > 0) replaceHeader(HeaderMap.Response, RATELIMIT, state);
  }
  closeStream(stream);
}
