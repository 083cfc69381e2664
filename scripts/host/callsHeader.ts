import { MapType, Result } from './abi.ts';
import type { HeaderMap } from './headerMap.ts';
import { misuse, returnBytes, type HostFunctions } from './hostFunction.ts';
import { pairsSize, parsePairs, writePairs } from './pairs.ts';
import type { Vm } from './vm.ts';

/** Functions on header maps. A map exists only in its phase; outside it the guest has lost its way. */
export function headerCalls(vm: Vm): HostFunctions {
  const change = (type: number, apply: (map: HeaderMap) => void): number => {
    const map = mapOf(vm, type);
    if (map === null) return misuse(vm, `header map ${type} changed out of its phase`, Result.badArgument);
    apply(map);
    if (type === MapType.requestHeaders) vm.stream!.routeCacheCleared = true;
    return Result.ok;
  };
  const text = (pointer: number, size: number): string => {
    vm.meter.bytesFromGuest += size;
    return vm.memory.text(pointer, size, 'header text');
  };
  return {
    get_header_map_value: (type, name, nameSize, valuePointer, sizePointer) => {
      const key = text(name, nameSize);
      const map = mapOf(vm, type);
      if (map === null) return misuse(vm, `header map ${type} read out of its phase`, Result.badArgument);
      const value = map.first(key);
      if (value === undefined) return Result.notFound;
      return returnBytes(vm, Buffer.from(value, 'latin1'), valuePointer, sizePointer, 'get_header_map_value');
    },
    get_header_map_pairs: (type, pointer, size) => getPairs(vm, type, pointer, size),
    get_header_map_size: (type, pointer) => {
      const map = mapOf(vm, type);
      if (map === null) return misuse(vm, `header map ${type} measured out of its phase`, Result.badArgument);
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
      vm.meter.bytesFromGuest += size;
      const pairs = parsePairs(vm.memory.read(pointer, size, 'set_header_map_pairs'));
      return change(type, (map) => map.replaceAll(pairs));
    },
  };
}

function getPairs(vm: Vm, type: number, pointerPointer: number, sizePointer: number): number {
  if (type > MapType.last) return misuse(vm, `header map ${type} does not exist`, Result.badArgument);
  const map = mapOf(vm, type);
  if (map === null && vm.strict) return misuse(vm, `header map ${type} read out of its phase`, Result.badArgument);
  if (map === null || map.pairs.length === 0) {
    return returnBytes(vm, Buffer.alloc(0), pointerPointer, sizePointer, 'get_header_map_pairs');
  }
  const size = pairsSize(map.pairs);
  vm.meter.valueReturning++;
  vm.meter.bytesToGuest += size;
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
