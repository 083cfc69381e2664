import {
  proxy_add_header_map_value,
  proxy_get_current_time_nanoseconds,
  proxy_get_header_map_pairs,
  proxy_get_header_map_value,
  proxy_remove_header_map_value,
  proxy_replace_header_map_value,
  proxy_set_header_map_pairs,
  proxy_set_property,
} from "@solo-io/proxy-runtime/assembly/imports";

/**
 * What every floor module has: the exports that ABI 0.2.1 requires, and an arena that lives for one callback. No managed object is
 * created, so none of AssemblyScript's runtime is linked.
 */
const ARENA_BYTES: i32 = 65536;
const ARENA: usize = memory.data(ARENA_BYTES, 8);
const OUT_POINTER: usize = memory.data(4, 8);
const OUT_SIZE: usize = memory.data(4, 8);
const OUT_TIME: usize = memory.data(8, 8);

const REQUEST = 0;
const RESPONSE = 2;

let used: usize = 0;

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_vm_start(rootId: u32, size: u32): u32 {
  fillTexts();
  return 1;
}

export function proxy_on_configure(rootId: u32, size: u32): u32 {
  return 1;
}

export function proxy_on_context_create(id: u32, parentId: u32): void {}

export function malloc(size: usize): usize {
  const pointer = ARENA + used;
  used += (size + 7) & ~7;
  return used > <usize>ARENA_BYTES ? 0 : pointer;
}

/** Reads all request headers at once, as a filter must that does not know in advance which ones it needs. */
export function readHeaders(): void {
  used = 0;
  proxy_get_header_map_pairs(REQUEST, OUT_POINTER, OUT_SIZE);
}

/** Twelve bytes of name: `x-floor-0000`. */
const NAME: usize = memory.data<u8>([0x78, 0x2d, 0x66, 0x6c, 0x6f, 0x6f, 0x72, 0x2d, 0x30, 0x30, 0x30, 0x30]);
const NAME_BYTES = 12;

/** Sets `count` headers, each with its own call. */
export function replaceHeaders(map: u32, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    store<u8>(NAME + NAME_BYTES - 1, <u8>(0x30 + i));
    proxy_replace_header_map_value(map, NAME, NAME_BYTES, NAME, NAME_BYTES);
  }
}

/** Adds `count` headers that the request does not have. */
export function addRequestHeaders(count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    store<u8>(NAME + NAME_BYTES - 1, <u8>(0x30 + i));
    proxy_add_header_map_value(REQUEST, NAME, NAME_BYTES, NAME, NAME_BYTES);
  }
}

export function replaceRequestHeaders(count: u32): void {
  replaceHeaders(REQUEST, count);
}

export function replaceResponseHeaders(count: u32): void {
  replaceHeaders(RESPONSE, count);
}

/** `x-api-key`. */
const KEY: usize = memory.data<u8>([0x78, 0x2d, 0x61, 0x70, 0x69, 0x2d, 0x6b, 0x65, 0x79]);
const KEY_BYTES = 9;

/** Reads `count` headers, each with its own call. */
export function readSingle(count: u32): void {
  used = 0;
  for (let i: u32 = 0; i < count; i++) proxy_get_header_map_value(REQUEST, KEY, KEY_BYTES, OUT_POINTER, OUT_SIZE);
}

/**
 * Sets `count` headers in one call. The only call of the ABI that sets several replaces all headers of the request, so those that
 * were read are written back with the new ones.
 */
export function addPairs(count: u32): void {
  const from = <usize>load<u32>(OUT_POINTER);
  const size = <usize>load<u32>(OUT_SIZE);
  const before = load<u32>(from);
  const sizes = <usize>before * 8;
  const start = malloc(size + count * (8 + 2 * (NAME_BYTES + 1)));
  store<u32>(start, before + count);
  memory.copy(start + 4, from + 4, sizes);
  let to = start + 4 + sizes;
  for (let i: u32 = 0; i < count; i++, to += 8) {
    store<u32>(to, NAME_BYTES);
    store<u32>(to, NAME_BYTES, 4);
  }
  memory.copy(to, from + 4 + sizes, size - 4 - sizes);
  to += size - 4 - sizes;
  for (let i: u32 = 0; i < count * 2; i++, to += NAME_BYTES + 1) {
    store<u8>(NAME + NAME_BYTES - 1, <u8>(0x30 + i / 2));
    memory.copy(to, NAME, NAME_BYTES);
    store<u8>(to + NAME_BYTES, 0);
  }
  proxy_set_header_map_pairs(REQUEST, start, to - start);
}

/** Headers and values as long as Tollgate's: their bytes say nothing. */
const TEXT_BYTES = 128;
const TEXT: usize = memory.data(TEXT_BYTES, 8);
/** `x-floor-`, and further bytes of the name. */
const LONG_NAME: usize = memory.data(32, 8);
const PREFIX_BYTES = 8;

/** Called once, before the first request. */
function fillTexts(): void {
  memory.fill(TEXT, 0x61, TEXT_BYTES);
  memory.copy(LONG_NAME, NAME, PREFIX_BYTES);
  memory.fill(LONG_NAME + PREFIX_BYTES, 0x61, 24);
}

/** Sets a header whose name ends with the digit. */
function replaceLong(map: u32, digit: u32, nameBytes: u32, valueBytes: u32): void {
  const last = LONG_NAME + nameBytes - 1;
  store<u8>(last, <u8>(0x30 + digit));
  proxy_replace_header_map_value(map, LONG_NAME, nameBytes, TEXT, valueBytes);
  store<u8>(last, 0x61);
}

export function readClock(): void {
  proxy_get_current_time_nanoseconds(OUT_TIME);
}

export function removeKey(): void {
  proxy_remove_header_map_value(REQUEST, KEY, KEY_BYTES);
}

/** A header as long as `x-tollgate-consumer`, with a consumer's name. */
export function tellConsumer(): void {
  replaceLong(REQUEST, 1, 19, 12);
}

export function tellPlan(): void {
  replaceLong(REQUEST, 2, 15, 4);
}

export function tellRoute(): void {
  replaceLong(REQUEST, 3, 16, 11);
}

/** A line for access logs. */
export function leaveLine(): void {
  proxy_set_property(NAME, PREFIX_BYTES, TEXT, 88);
}

/** Headers as long as `ratelimit-policy` and `ratelimit` of three quotas. */
export function tellQuotas(): void {
  replaceLong(RESPONSE, 4, 16, 86);
  replaceLong(RESPONSE, 5, 9, 82);
}
