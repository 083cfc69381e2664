import { MapType, Result, StreamType } from './abi.ts';
import type { HeaderMap } from './headers.ts';
import type { HostFunctions } from './abi.ts';
import { pairsSize, parsePairs, writePairs } from './memory.ts';
import type { Vm } from './vm.ts';

/** Functions on header maps. A map exists only in its phase; outside it the guest has lost its way. */
export function headerCalls(vm: Vm): HostFunctions {
  const change = (type: number, apply: (map: HeaderMap) => void): number => {
    const map = mapOf(vm, type);
    if (map === null) return vm.misuse(`header map ${type} changed out of its phase`, Result.badArgument);
    apply(map);
    if (type === MapType.requestHeaders) vm.stream!.routeCacheCleared = true;
    return Result.ok;
  };
  const text = (pointer: number, size: number): string => {
    vm.observer?.took(size);
    return vm.memory.text(pointer, size, 'header text');
  };
  return {
    get_header_map_value: (type, name, nameSize, valuePointer, sizePointer) => {
      const key = text(name, nameSize);
      const map = mapOf(vm, type);
      if (map === null) return vm.misuse(`header map ${type} read out of its phase`, Result.badArgument);
      const value = map.first(key);
      if (value === undefined) return Result.notFound;
      return vm.hand(Buffer.from(value, 'latin1'), valuePointer, sizePointer, 'get_header_map_value');
    },
    get_header_map_pairs: (type, pointer, size) => getPairs(vm, type, pointer, size),
    get_header_map_size: (type, pointer) => {
      const map = mapOf(vm, type);
      if (map === null) return vm.misuse(`header map ${type} measured out of its phase`, Result.badArgument);
      vm.memory.setU32(pointer, map.byteSize(), 'get_header_map_size');
      return Result.ok;
    },
    add_header_map_value: (type, name, nameSize, value, valueSize) => {
      const pair = [text(name, nameSize), text(value, valueSize)] as const;
      return change(type, (map) => map.add(...pair));
    },
    replace_header_map_value: (type, name, nameSize, value, valueSize) => {
      const pair = [text(name, nameSize), text(value, valueSize)] as const;
      return change(type, (map) => map.replace(...pair));
    },
    remove_header_map_value: (type, name, nameSize) => {
      const key = text(name, nameSize);
      return change(type, (map) => map.remove(key));
    },
    set_header_map_pairs: (type, pointer, size) => {
      vm.observer?.took(size);
      const pairs = parsePairs(vm.memory.read(pointer, size, 'set_header_map_pairs'));
      return change(type, (map) => map.replaceAll(pairs));
    },
  };
}

function getPairs(vm: Vm, type: number, pointerPointer: number, sizePointer: number): number {
  if (type > MapType.last) return vm.misuse(`header map ${type} does not exist`, Result.badArgument);
  const map = mapOf(vm, type);
  if (map === null && vm.strict) return vm.misuse(`header map ${type} read out of its phase`, Result.badArgument);
  if (map === null || map.pairs.length === 0) {
    return vm.hand(Buffer.alloc(0), pointerPointer, sizePointer, 'get_header_map_pairs');
  }
  const size = pairsSize(map.pairs);
  vm.observer?.handed(size);
  const pointer = vm.malloc(size);
  writePairs(map.pairs, vm.memory.target(pointer, size, 'get_header_map_pairs: memory from malloc'), 0);
  vm.memory.setU32(pointerPointer, pointer, 'get_header_map_pairs: place for the pointer');
  vm.memory.setU32(sizePointer, size, 'get_header_map_pairs: place for the size');
  return Result.ok;
}

function mapOf(vm: Vm, type: number): HeaderMap | null {
  const { stream } = vm;
  if (stream === null) return null;
  if (type === MapType.requestHeaders) return stream.requestVisible ? stream.request : null;
  if (type === MapType.requestTrailers) return stream.trailers;
  if (type === MapType.responseHeaders) return stream.response;
  return null;
}

/** Functions that answer or resume a stream. */
export function replyCalls(vm: Vm): HostFunctions {
  return {
    send_local_response: (status, details, detailsSize, body, bodySize, pairs, pairsSize, grpcStatus) => {
      const { stream } = vm;
      if (stream === null) return vm.misuse('send_local_response outside a stream', Result.ok);
      if (stream.localResponse !== null) return vm.misuse('send_local_response twice on a stream', Result.ok);
      if (stream.continued) return vm.misuse('send_local_response after continue_stream', Result.ok);
      if (vm.calledOut)
        return vm.misuse('send_local_response after a callout in the same callback: a crash in Envoy', Result.ok);
      if (stream.response !== null) return vm.misuse('send_local_response after response headers', Result.ok);
      vm.observer?.took(detailsSize + bodySize + pairsSize);
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
      if (stream === null) return vm.misuse('continue_stream outside a stream', Result.ok);
      if (type === StreamType.response) return vm.misuse('continue_stream of a response that never stops', Result.ok);
      if (stream.deciding)
        return vm.misuse('continue_stream inside the callback that decides whether the request stops', Result.ok);
      if (stream.localResponse !== null) return vm.misuse('continue_stream after a local reply', Result.ok);
      if (stream.continued || stream.response !== null)
        return vm.misuse('continue_stream of a stream that goes on already', Result.ok);
      stream.continued = true;
      stream.requestVisible = false;
      vm.defer(() => stream.owner?.continued());
      return Result.ok;
    },
    close_stream: (type) => (type > StreamType.last ? Result.badArgument : Result.ok),
  };
}
