import { Result } from './abi.ts';
import { clusterOf } from './grpcService.ts';
import { misuse, type HostFunctions } from './hostFunction.ts';
import { parsePairs } from './pairs.ts';
import type { Vm } from './vm.ts';

/** Unary gRPC calls. They run on the root, whichever stream is current; streams are not there. */
export function grpcCalls(vm: Vm): HostFunctions {
  const text = (pointer: number, size: number, what: string): string =>
    vm.memory.text(pointer, size, `grpc_call: ${what}`);
  return {
    grpc_call: (
      service,
      serviceSize,
      name,
      nameSize,
      method,
      methodSize,
      metadata,
      metadataSize,
      message,
      messageSize,
      timeoutMs,
      tokenPointer,
    ) => {
      const root = (vm.effective ?? vm.current)?.root;
      if (root === undefined) return misuse(vm, 'grpc_call without a context', Result.badArgument);
      const cluster = clusterOf(vm.memory.read(service, serviceSize, 'grpc_call: service'));
      // A bare cluster name works in Envoy as long as it is no protobuf by accident.
      if (cluster === null) return misuse(vm, 'grpc_call with no GrpcService', Result.parseFailure);
      if (timeoutMs === 0)
        return misuse(vm, 'grpc_call without a timeout: it ends at once, or never', Result.internalFailure);
      if (vm.replied)
        return misuse(vm, 'grpc_call after a local reply in the same callback: a crash in Envoy', Result.ok);
      vm.meter.bytesFromGuest += serviceSize + nameSize + methodSize + metadataSize + messageSize;
      const token = vm.grpc.start(root, {
        cluster,
        service: text(name, nameSize, 'service name'),
        method: text(method, methodSize, 'method'),
        metadata: parsePairs(vm.memory.read(metadata, metadataSize, 'grpc_call: metadata')),
        message: Buffer.from(vm.memory.read(message, messageSize, 'grpc_call: message')),
        timeoutMs,
      });
      if (token === 0) return Result.internalFailure;
      vm.calledOut = true;
      vm.memory.setU32(tokenPointer, token, 'grpc_call: place for the token');
      return Result.ok;
    },
    grpc_cancel: (token) => vm.grpc.cancel(token),
    grpc_close: (token) => vm.grpc.cancel(token),
  };
}
