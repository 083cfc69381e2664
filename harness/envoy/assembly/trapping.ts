import * as module from "../../../assembly/index";
import { proxy_get_header_map_value } from "@solo-io/proxy-runtime/assembly/imports";

/**
 * The module with a trap in it: a request with the header `x-trap` kills the VM that meets it, as a fault of ours would. Never
 * shipped; `trap.test.ts` sees that it is otherwise the module, export by export.
 */
const NAME = memory.data<u8>([0x78, 0x2d, 0x74, 0x72, 0x61, 0x70]);
const OUT: usize = memory.data(8, 8);

export function proxy_on_request_headers(id: u32, headerCount: u32, endOfStream: u32): u32 {
  store<u64>(OUT, 0);
  if (proxy_get_header_map_value(0, NAME, 6, OUT, OUT + 4) == 0 && load<u32>(OUT, 4) > 0) unreachable();
  return module.proxy_on_request_headers(id, headerCount, endOfStream);
}

export {
  proxy_abi_version_0_2_1,
  malloc,
  proxy_on_vm_start,
  proxy_on_context_create,
  proxy_on_configure,
  proxy_on_tick,
  proxy_on_grpc_receive,
  proxy_on_grpc_close,
  proxy_on_request_trailers,
  proxy_on_response_headers,
  proxy_on_delete,
} from "../../../assembly/index";
