import { resolve } from 'node:path';

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** A test that has ended, as the reporters beside this file write it. */
export interface TestEvent {
  readonly passed: boolean;
  /** `suite` for a `describe`, which contains tests but is not one. */
  readonly kind: 'test' | 'suite';
  readonly name: string;
  readonly file?: string;
  readonly skip: boolean;
  readonly todo: boolean;
}

/** Events from a file of JSON lines; a line that a killed process did not finish is ignored. */
export function readEvents(lines: string): TestEvent[] {
  const whole = lines.slice(0, lines.lastIndexOf('\n') + 1);
  return whole
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TestEvent);
}

/**
 * The result of a suite, from its events and its process's exit code. Nothing passes by not running: a file without tests, a suite
 * in which no test passed, and an exit code that no event explains are failures, and so is a cancelled test.
 */
export function countOf(events: readonly TestEvent[], exitCode: number | null): Count {
  const count: Count = { passed: 0, failed: 0, skipped: 0 };
  // its tests are counted themselves, but its hooks may fail, which not every Node version reports by the exit code
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

/** Node reports a file without tests as a test with the file's name. */
function isFile({ name, file }: TestEvent): boolean {
  return file !== undefined && resolve(name) === file;
}
