import { proxy_get_header_map_pairs, proxy_replace_header_map_value } from "@solo-io/proxy-runtime/assembly/imports";

/**
 * What every floor module has: the exports that ABI 0.2.1 asks for, and an arena that lives for one callback. No managed
 * object is made, so nothing of AssemblyScript's runtime is linked.
 */
const ARENA_BYTES: i32 = 65536;
const ARENA: usize = memory.data(ARENA_BYTES, 8);
const OUT_POINTER: usize = memory.data(4, 8);
const OUT_SIZE: usize = memory.data(4, 8);

const REQUEST = 0;
const RESPONSE = 2;

let used: usize = 0;

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_vm_start(rootId: u32, size: u32): u32 {
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

/** All request headers in one piece, as a filter must have them that knows only then where to look. */
export function readHeaders(): void {
  used = 0;
  proxy_get_header_map_pairs(REQUEST, OUT_POINTER, OUT_SIZE);
}

/** Twelve bytes of name: `x-floor-0000`. */
const NAME: usize = memory.data<u8>([0x78, 0x2d, 0x66, 0x6c, 0x6f, 0x6f, 0x72, 0x2d, 0x30, 0x30, 0x30, 0x30]);
const NAME_BYTES = 12;

/** Sets so many headers, each by a call of its own: the ABI has no call that sets some of them at once. */
export function replaceHeaders(map: u32, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    store<u8>(NAME + NAME_BYTES - 1, <u8>(0x30 + i));
    proxy_replace_header_map_value(map, NAME, NAME_BYTES, NAME, NAME_BYTES);
  }
}

export function replaceRequestHeaders(count: u32): void {
  replaceHeaders(REQUEST, count);
}

export function replaceResponseHeaders(count: u32): void {
  replaceHeaders(RESPONSE, count);
}
