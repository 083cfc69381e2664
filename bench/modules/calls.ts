import { leaveLine, readClock, readHeaders, removeKey, tellConsumer, tellPlan, tellQuotas, tellRoute } from "./base";
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
  readClock();
  leaveLine();
  removeKey();
  tellConsumer();
  tellPlan();
  tellRoute();
  return 0;
}

/** Tollgate has both entries, whether or not there is something to do in them. */
export function proxy_on_response_headers(id: u32, headerCount: u32, endOfStream: u32): u32 {
  tellQuotas();
  return 0;
}

export function proxy_on_delete(id: u32): void {}
