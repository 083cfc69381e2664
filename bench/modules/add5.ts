import { addRequestHeaders, readHeaders } from "./base";
export {
  malloc,
  proxy_abi_version_0_2_1,
  proxy_on_configure,
  proxy_on_context_create,
  proxy_on_vm_start,
} from "./base";

/** Reads all request headers and adds 5 that are not among them. */
export function proxy_on_request_headers(id: u32, headerCount: u32, endOfStream: u32): u32 {
  readHeaders();
  addRequestHeaders(5);
  return 0;
}
