import { availableParallelism, cpus, release } from 'node:os';

/** What of a machine bears on the figures, and nothing that tells whose it is. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly kernel: string;
  readonly envoy: string;
}

export function machine(envoyVersion: string): Machine {
  // a kernel's release may carry its builder's words; the numbers are enough
  const kernel = /^\d+(\.\d+)*/.exec(release())?.[0] ?? '';
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? '',
    kernel: `${process.platform} ${kernel}`,
    envoy: envoyVersion,
  };
}
