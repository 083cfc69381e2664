import { Result } from './abi.ts';
import { returnBytes, type HostFunctions } from './hostFunction.ts';
import type { Vm } from './vm.ts';

/** Shared data of the process. Queues answer as if nobody had registered one. */
export function sharedDataCalls(vm: Vm): HostFunctions {
  const { sharedData } = vm.process;
  return {
    get_shared_data: (key, keySize, valuePointer, sizePointer, casPointer) => {
      const entry = sharedData.get(vm.memory.text(key, keySize, 'shared data key'));
      if (entry === undefined) return Result.notFound;
      returnBytes(vm, entry.value, valuePointer, sizePointer, 'get_shared_data');
      vm.memory.setU32(casPointer, entry.cas, 'get_shared_data: place for cas');
      return Result.ok;
    },
    set_shared_data: (key, keySize, value, valueSize, cas) => {
      vm.meter.bytesFromGuest += keySize + valueSize;
      const name = vm.memory.text(key, keySize, 'shared data key');
      return sharedData.set(name, vm.memory.read(value, valueSize, 'shared data value'), cas);
    },
    resolve_shared_queue: () => Result.notFound,
    dequeue_shared_queue: () => Result.notFound,
    enqueue_shared_queue: () => Result.notFound,
  };
}
