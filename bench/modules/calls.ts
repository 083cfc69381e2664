import { noteDecision, readHeaders, replaceRequestHeaders, replaceResponseHeaders } from "./base";
export {
  malloc,
  proxy_abi_version_0_2_1,
  proxy_on_configure,
  proxy_on_context_create,
  proxy_on_vm_start,
} from "./base";

/** Makes all calls that Tollgate makes for an allowed request with quotas and a route, and decides nothing. */
export function proxy_on_request_headers(id: u32, headerCount: u32, endOfStream: u32): u32 {
  readHeaders();
  noteDecision();
  replaceRequestHeaders(3);
  return 0;
}

export function proxy_on_response_headers(id: u32, headerCount: u32, endOfStream: u32): u32 {
  replaceResponseHeaders(2);
  return 0;
}
