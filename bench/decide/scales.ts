import { SCALES } from '../../harness/count/scale.ts';
import type { WasmModule } from '../../scripts/host/abi.ts';
import { median } from './fit.ts';
import type { ScaleRow } from './report.ts';
import { exactCost, openScaled } from './subject.ts';

const EXACT_REQUESTS = 20;

/** A row for one, a hundred, ten thousand … of everything that a policy may have very many of; all take turns in every round. */
export function measureScales(
  module: WasmModule,
  counting: WasmModule,
  { rounds, requests }: { rounds: number; requests: number },
): ScaleRow[] {
  const measured = SCALES.flatMap(({ what, most, config }) =>
    [1, 100, 1000, 10_000]
      .filter((count) => count <= most)
      .map((count) => ({
        ...{ what, count, times: [] as number[] },
        subject: openScaled(module, config(count)),
        exact: openScaled(counting, config(count)),
      })),
  );
  // the first round is a warm-up
  for (let round = 0; round <= rounds; round++)
    for (const { subject, times } of measured) {
      const nanoseconds = subject.time(requests, 1);
      if (round > 0) times.push(nanoseconds);
      if (subject.host.refused > 0) throw new Error('a request was refused');
    }
  return measured.map(({ what, count, times, subject, exact }) => {
    exact.time(EXACT_REQUESTS, 1);
    const { instructions, hostCalls } = exactCost(exact, EXACT_REQUESTS);
    const { configBytes, configureMilliseconds, host } = subject;
    const { memoryBytes } = host;
    return {
      ...{ what, count, instructions, hostCalls },
      ...{ nanoseconds: median(times), memoryBytes, configBytes, configureMilliseconds },
    };
  });
}
