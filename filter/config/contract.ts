/* Generated from scripts/contract/table.ts; do not edit. `UPDATE_GOLDEN=1 npm test scripts` writes it. */
import { View, literal } from "../bytes/view";
import * as Field from "./field";

export const SHOWN_DIGEST_DIGITS = 12;
export const DIGEST_DIGITS = 64;
export const MAX_ADDRESS_BLOCKS = 128;
export const MAX_AUDIENCES = 16;
export const MAX_BLOCK_BYTES = 43;
export const MAX_BUCKET_RATE_PER_SECOND: i64 = 1000000;
export const MAX_BURST: i64 = 1000000000;
export const MAX_CLUSTER_BYTES = 255;
export const MAX_CONCURRENCY = 1000000;
export const MAX_CORS_AGE_SECONDS = 86400;
export const MAX_CORS_NAMES = 64;
export const MAX_COST = 1000000;
export const MAX_COST_HEADER_BYTES = 64;
export const MAX_COUNTED = 512;
export const MAX_DAY_MINUTES = 1439;
export const MAX_DETAIL_BYTES = 255;
export const MAX_DOMAIN_BYTES = 127;
export const MAX_EXACT: i64 = 9007199254740992;
export const MAX_HOST_BYTES = 253;
export const MAX_ISSUERS = 16;
export const MAX_ISSUER_BYTES = 255;
export const MAX_KEY_APIS = 128;
export const MAX_KEY_BYTES = 4096;
export const MAX_KEY_SOURCES = 8;
export const MAX_LIST_CLAIM_BYTES = 4096;
export const MAX_LOCATION_BYTES = 1024;
export const MAX_MESH_QUOTAS = 3;
export const MAX_METHODS = 16;
export const MAX_ME_PATH_BYTES = 124;
export const MAX_ME_PER_MINUTE = 6000;
export const MAX_MOCK_BYTES = 4096;
export const MAX_MOCK_HEADERS = 16;
export const MAX_MOUNTS = 16384;
export const MAX_NAME_BYTES = 127;
export const MAX_OFFSET_SECONDS = 86400;
export const MAX_OPERATIONS = 16384;
export const MAX_OPERATION_PLANS = 64;
export const MAX_OPERATION_QUOTAS = 4096;
export const MAX_OPERATION_SCOPES = 16;
export const MAX_ORIGINS = 128;
export const MAX_ORIGIN_BYTES = 320;
export const MAX_PATH_BYTES = 1024;
export const MAX_QUOTAS = 8;
export const MAX_REFILL_DAYS: i64 = 366;
export const MAX_ROUTES = 1024;
export const MAX_ROUTE_HEADERS = 64;
export const MAX_SAME_TEMPLATE = 32;
export const MAX_SCOPES = 64;
export const MAX_SEGMENTS = 32;
export const MAX_SUBJECT_BYTES = 255;
export const MAX_TIMEOUT_MILLISECONDS: i64 = 1000;
export const MAX_TRIED = 128;
export const MAX_TRUSTED_HOPS = 16;
export const MAX_VALUE_BYTES = 4096;
export const MAX_WARNINGS = 4;
export const MAX_WINDOW_SECONDS = 31622400;
export const MAX_WORKLOAD_BYTES = 255;
export const MAX_ZONES = 1024;
export const MAX_ZONE_CHANGES = 64;
export const ME_PER_MINUTE = 60;
export const MOCK_STATUS = 200;
export const REDIRECT_STATUS = 308;
export const REFUSAL_STATUS = 429;
export const TIMEOUT_MILLISECONDS = 50;

export const OWN_PREFIX = literal("x-tollgate-");
export const DEFAULT_ROUTE = literal("default");
export const CONSUMER_CLAIM = literal("sub");
export const WINDOWS: StaticArray<View> = [
  literal("second"),
  literal("minute"),
  literal("hour"),
  literal("day"),
  literal("week"),
  literal("month"),
  literal("year"),
];
export const UNIT_LETTERS = literal("smhd");
export const UNIT_SECONDS: StaticArray<i32> = [1, 60, 3600, 86400];
export const FAILURE_MODES: StaticArray<View> = [Field.DENY, Field.ALLOW, literal("local-share")];
export const PERS: StaticArray<View> = [
  Field.CONSUMER,
  Field.API,
  literal("operation"),
  literal("key"),
  Field.GROUP,
  literal("address"),
];
export const CONCURRENCY_PERS: StaticArray<View> = [
  Field.CONSUMER,
  Field.API,
  literal("operation"),
  literal("key"),
  Field.GROUP,
  literal("address"),
];
export const LOG_FIELDS: StaticArray<View> = [
  literal("reason"),
  Field.API,
  literal("operation"),
  Field.ROUTE,
  Field.CONSUMER,
  Field.KEY_ID,
  Field.PLAN,
  Field.QUOTA,
  literal("remaining"),
  literal("host"),
  Field.MODE,
];
export const CREDENTIALS: StaticArray<View> = [literal("key"), literal("workload"), literal("token")];
export const PATH_DATA: StaticArray<View> = [literal("escaped-slashes"), literal("empty-segments")];
export const LOG_STATES: StaticArray<View> = [
  literal("tollgate.reason"),
  literal("tollgate.api"),
  literal("tollgate.operation"),
  literal("tollgate.route"),
  literal("tollgate.consumer"),
  literal("tollgate.keyId"),
  literal("tollgate.plan"),
  literal("tollgate.quota"),
  literal("tollgate.remaining"),
  literal("tollgate.host"),
  literal("tollgate.mode"),
];
export const IDENTITY_HEADERS: StaticArray<View> = [
  literal("x-tollgate-consumer"),
  literal("x-tollgate-plan"),
  literal("x-tollgate-route"),
  literal("x-tollgate-key-id"),
];
export const RATE_LIMIT_HEADERS: StaticArray<View> = [
  literal("standard"),
  literal("x-ratelimit"),
  literal("refusals"),
  literal("none"),
];
export const EXPOSED_HEADERS: StaticArray<View> = [
  literal("ratelimit"),
  literal("ratelimit-policy"),
  literal("retry-after"),
  literal("www-authenticate"),
];
export const X_RATELIMIT_HEADERS: StaticArray<View> = [
  literal("x-ratelimit-limit"),
  literal("x-ratelimit-remaining"),
  literal("x-ratelimit-reset"),
];
export const FRAMING_HEADERS: StaticArray<View> = [
  literal("host"),
  literal("content-length"),
  literal("transfer-encoding"),
  literal("connection"),
  literal("te"),
  literal("upgrade"),
  literal("trailer"),
  literal("keep-alive"),
];
