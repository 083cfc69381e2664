import { availableParallelism, cpus, release } from 'node:os';

/** Properties of the machine that affect the figures, and nothing that identifies its owner. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly kernel: string;
  readonly envoy: string;
}

export function machine(envoyVersion: string): Machine {
  // a kernel's release may contain its builder's name; the numbers are enough
  const kernel = /^\d+(\.\d+)*/.exec(release())?.[0] ?? '';
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? '',
    kernel: `${process.platform} ${kernel}`,
    envoy: envoyVersion,
  };
}
