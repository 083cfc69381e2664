import { Result, StreamType } from './abi.ts';
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
      if (stream.continued) return misuse(vm, 'send_local_response after continue_stream', Result.ok);
      if (vm.calledOut)
        return misuse(vm, 'send_local_response after a callout in the same callback: a crash in Envoy', Result.ok);
      if (stream.response !== null) return misuse(vm, 'send_local_response after response headers', Result.ok);
      vm.meter.bytesFromGuest += detailsSize + bodySize + pairsSize;
      stream.localResponse = {
        status,
        details: vm.memory.text(details, detailsSize, 'response code details'),
        body: vm.memory.read(body, bodySize, 'local response body').toString('utf8'),
        headers: parsePairs(vm.memory.read(pairs, pairsSize, 'local response headers')),
        grpcStatus: grpcStatus >>> 0,
      };
      vm.replied = true;
      vm.defer(() => stream.owner?.replied());
      return Result.ok;
    },
    continue_stream: (type) => {
      if (type > StreamType.response) return Result.badArgument;
      const { stream } = vm;
      if (stream === null) return misuse(vm, 'continue_stream outside a stream', Result.ok);
      if (type === StreamType.response) return misuse(vm, 'continue_stream of a response that never stops', Result.ok);
      if (stream.deciding)
        return misuse(vm, 'continue_stream inside the callback that decides whether the request stops', Result.ok);
      if (stream.localResponse !== null) return misuse(vm, 'continue_stream after a local reply', Result.ok);
      if (stream.continued || stream.response !== null)
        return misuse(vm, 'continue_stream of a stream that goes on already', Result.ok);
      stream.continued = true;
      stream.requestVisible = false;
      vm.defer(() => stream.owner?.continued());
      return Result.ok;
    },
    close_stream: (type) => (type > StreamType.last ? Result.badArgument : Result.ok),
  };
}
