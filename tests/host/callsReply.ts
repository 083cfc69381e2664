import { Result } from './abi.ts';
import { misuse, type HostFunctions } from './hostFunction.ts';
import { parsePairs } from './pairs.ts';
import type { Vm } from './vm.ts';

/** Functions that answer or resume a stream. */
export function replyCalls(vm: Vm): HostFunctions {
  return {
    send_local_response: (status, details, detailsSize, body, bodySize, pairs, pairsSize, grpcStatus) => {
      const { stream } = vm;
      if (stream === null) return misuse(vm, 'send_local_response outside a stream', Result.ok);
      if (stream.localResponse !== null) return misuse(vm, 'send_local_response twice on a stream', Result.ok);
      if (stream.response !== null) return misuse(vm, 'send_local_response after response headers', Result.ok);
      vm.meter.bytesFromGuest += detailsSize + bodySize + pairsSize;
      stream.localResponse = {
        status,
        details: vm.memory.text(details, detailsSize, 'response code details'),
        body: vm.memory.read(body, bodySize, 'local response body').toString('utf8'),
        headers: parsePairs(vm.memory.read(pairs, pairsSize, 'local response headers')),
        grpcStatus: grpcStatus >>> 0,
      };
      return Result.ok;
    },
    continue_stream: (type) => {
      if (type > 3) return Result.badArgument;
      const { stream } = vm;
      if (stream === null) return misuse(vm, 'continue_stream outside a stream', Result.ok);
      stream.requestVisible = false;
      return Result.ok;
    },
    close_stream: (type) => (type > 3 ? Result.badArgument : Result.ok),
  };
}
