import { HostFault } from './fault.ts';
import { Result } from './abi.ts';
import type { Vm } from './vm.ts';

export type HostFunction = (...args: number[]) => number;
export type HostFunctions = Record<string, HostFunction>;

/** Hands a value to the guest through its malloc; an empty one without a malloc call. */
export function returnBytes(vm: Vm, bytes: Buffer, pointerPointer: number, sizePointer: number, what: string): number {
  let pointer = 0;
  if (bytes.length > 0) {
    vm.meter.valueReturning++;
    vm.meter.bytesToGuest += bytes.length;
    pointer = vm.malloc(bytes.length);
    bytes.copy(vm.memory.target(pointer, bytes.length, `${what}: memory from malloc`));
  }
  vm.memory.setU32(pointerPointer, pointer, `${what}: place for the pointer`);
  vm.memory.setU32(sizePointer, bytes.length, `${what}: place for the size`);
  return Result.ok;
}

/** Misuse fails the test in a strict VM; otherwise it is the status Envoy would answer. */
export function misuse(vm: Vm, message: string, status: number): number {
  if (vm.strict) throw new HostFault(message);
  return status;
}
