import { HostFault } from './fault.ts';
import { Result } from './abi.ts';
import { grpcCalls } from './callsGrpc.ts';
import { headerCalls } from './callsHeader.ts';
import { replyCalls } from './callsReply.ts';
import { sharedDataCalls } from './callsSharedData.ts';
import { systemCalls } from './callsSystem.ts';
import type { HostFunction, HostFunctions } from './hostFunction.ts';
import type { Vm } from './vm.ts';
import type { WasmImports } from './webAssembly.ts';

/** Every `env` function of ABI 0.2.1 and how many i32 it takes; the two with an i64 say so in full. */
const PARAMETERS: Record<string, number | string> = {
  log: 3,
  get_log_level: 1,
  get_status: 3,
  set_property: 4,
  get_property: 4,
  send_local_response: 8,
  continue_stream: 1,
  close_stream: 1,
  get_shared_data: 5,
  set_shared_data: 5,
  register_shared_queue: 3,
  resolve_shared_queue: 5,
  dequeue_shared_queue: 3,
  enqueue_shared_queue: 3,
  get_header_map_value: 5,
  add_header_map_value: 5,
  replace_header_map_value: 5,
  remove_header_map_value: 3,
  get_header_map_pairs: 3,
  set_header_map_pairs: 3,
  get_header_map_size: 2,
  get_buffer_status: 3,
  get_buffer_bytes: 5,
  set_buffer_bytes: 5,
  http_call: 10,
  grpc_call: 12,
  grpc_stream: 9,
  grpc_close: 1,
  grpc_cancel: 1,
  grpc_send: 4,
  set_tick_period_milliseconds: 1,
  get_current_time_nanoseconds: 1,
  define_metric: 4,
  increment_metric: '(i32,i64)->i32',
  record_metric: '(i32,i64)->i32',
  get_metric: 2,
  set_effective_context: 1,
  done: 0,
  call_foreign_function: 6,
};

/** The signature a real host expects of `env.NAME`, or undefined where it has no such function. */
export function expectedSignature(importName: string): string | undefined {
  const parameters = PARAMETERS[importName.replace(/^env\.proxy_/, '')];
  if (parameters === undefined || !importName.startsWith('env.proxy_')) return undefined;
  if (typeof parameters === 'string') return parameters;
  return `(${Array.from({ length: parameters }, () => 'i32').join(',')})->i32`;
}

/** The whole ABI bound to a VM: counted, restricted where a host restricts it, pointers unsigned. */
export function linkImports(vm: Vm): WasmImports {
  const functions: HostFunctions = {
    ...headerCalls(vm),
    ...replyCalls(vm),
    ...grpcCalls(vm),
    ...sharedDataCalls(vm),
    ...systemCalls(vm),
  };
  const env: Record<string, HostFunction> = {};
  for (const name of Object.keys(PARAMETERS)) {
    const call = functions[name] ?? (() => Result.unimplemented);
    const counter = vm.meter.counter(`proxy_${name}`);
    env[`proxy_${name}`] = (...args) => {
      if (vm.restricted && name !== 'log') throw new HostFault(`proxy_${name}: called where only log may be`);
      vm.meter.hostCalls++;
      counter.count++;
      for (let i = 0; i < args.length; i++) if (typeof args[i] === 'number') args[i] = args[i]! >>> 0;
      return call(...args);
    };
  }
  return { env };
}
