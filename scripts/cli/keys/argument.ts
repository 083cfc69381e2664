import { consumerNameRule, epochSeconds } from '../../policy/index.ts';
import { UsageError } from '../command.ts';

/** The POLICY of a command that changes it in its place. */
export function changeableFile(positionals: readonly string[]): string {
  const file = onlyFile(positionals);
  must(file !== '-', 'changes POLICY in its place, so it must be a file; - is standard input');
  return file;
}

export function needed(option: string, value: string | undefined): string {
  must(value !== undefined, `needs ${option}`);
  return value!;
}

/** The one POLICY of a command line. Positionals are never repeated in a message: one of them may be a key. */
export function onlyFile(positionals: readonly string[]): string {
  must(positionals.length === 1, `takes one POLICY; found ${positionals.length} arguments`);
  return positionals[0]!;
}

export function must(condition: boolean, rule: string): void {
  if (!condition) throw new UsageError(rule);
}

export function checkConsumer(name: string, argument = '--consumer'): void {
  const rule = consumerNameRule(name);
  must(rule === null, `${argument} ${rule}`);
}

export function checkTimes(from: string | undefined, until: string | undefined): void {
  for (const [option, text] of Object.entries({ from, until })) {
    must(text === undefined || epochSeconds(text) !== null, `--${option} must be a time such as 2026-01-31T00:00:00Z`);
  }
  const begins = from === undefined ? null : epochSeconds(from);
  const ends = until === undefined ? null : epochSeconds(until);
  must(begins === null || ends === null || begins < ends, '--until must be after --from');
  must(ends === null || ends > Date.now() / 1000, '--until must be in the future: the key would have expired already');
}
