import { readHeaders, removeKey } from "./base";
export {
  malloc,
  proxy_abi_version_0_2_1,
  proxy_on_configure,
  proxy_on_context_create,
  proxy_on_vm_start,
} from "./base";

/** The calls for an allowed request with a key, under a policy that tells nothing. */
export function proxy_on_request_headers(id: u32, headerCount: u32, endOfStream: u32): u32 {
  readHeaders();
  removeKey();
  return 0;
}

/** Tollgate has both entries, whether or not there is something to do in them. */
export function proxy_on_response_headers(id: u32, headerCount: u32, endOfStream: u32): u32 {
  return 0;
}

export function proxy_on_delete(id: u32): void {}
