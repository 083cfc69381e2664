import { addPairs, readHeaders } from "./base";
export {
  malloc,
  proxy_abi_version_0_2_1,
  proxy_on_configure,
  proxy_on_context_create,
  proxy_on_vm_start,
} from "./base";

/** Reads all request headers and writes them back with 5 new ones, in one call. */
export function proxy_on_request_headers(id: u32, headerCount: u32, endOfStream: u32): u32 {
  readHeaders();
  addPairs(5);
  return 0;
}
