import { resolve } from 'node:path';

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** A test that has ended, as the reporters beside this file write it. */
export interface TestEvent {
  readonly passed: boolean;
  /** `suite` for a `describe`, which holds tests and is none. */
  readonly kind: 'test' | 'suite';
  readonly name: string;
  readonly file?: string;
  readonly skip: boolean;
  readonly todo: boolean;
}

/** Events from a file of JSON lines; one that a killed process did not finish is none. */
export function readEvents(lines: string): TestEvent[] {
  const whole = lines.slice(0, lines.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TestEvent);
}

/**
 * What came of a suite: of its events, and of how its process ended. Nothing passes by not running: a file without a test, a
 * suite without one that passed, an exit code that no event explains are failures. A cancelled test has failed.
 */
export function countOf(events: readonly TestEvent[], exitCode: number | null): Count {
  const count: Count = { passed: 0, failed: 0, skipped: 0 };
  // its tests are counted, but its own hooks may fail, which not every Node tells by its exit code
  let hasFailedSuite = false;
  for (const event of events) {
    if (event.skip || event.todo) count.skipped++;
    else if (event.kind === 'suite') hasFailedSuite ||= !event.passed;
    else if (!event.passed || isFile(event)) count.failed++;
    else count.passed++;
  }
  if (count.failed === 0 && (exitCode !== 0 || hasFailedSuite || count.passed === 0)) count.failed = 1;
  return count;
}

/** Node reports a file in which it met no test as a test of the file's name. */
function isFile({ name, file }: TestEvent): boolean {
  return file !== undefined && resolve(name) === file;
}
