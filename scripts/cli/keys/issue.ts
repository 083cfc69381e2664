import { parseArgs } from 'node:util';
import { LABEL, LABEL_RULE, NAME, NAME_RULE } from '../../policy/index.ts';
import { SCOPE, SCOPE_RULE } from '../../policy/schema/operation.ts';
import { issue, type Issued } from '../../policyFile/issue.ts';
import { rotate } from '../../policyFile/rotate.ts';
import { type Io, Refusal } from '../command.ts';
import { StepLine } from './stepLine.ts';
import { changeableFile, checkConsumer, checkTimes, must, needed } from './argument.ts';

export async function runIssue(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      consumer: { type: 'string' },
      id: { type: 'string' },
      from: { type: 'string' },
      until: { type: 'string' },
      api: { type: 'string', multiple: true },
      scope: { type: 'string', multiple: true },
      plan: { type: 'string' },
      file: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const { id, from, until, plan, json } = values;
  const [apis, scopes] = [onceEach(values.api), onceEach(values.scope)];
  const file = changeableFile(positionals);
  const consumer = needed('--consumer NAME', values.consumer);
  checkConsumer(consumer);
  must(id === undefined || LABEL.test(id), `--id ${LABEL_RULE}`);
  must(plan === undefined || NAME.test(plan), `--plan ${NAME_RULE}`);
  must(apis === undefined || apis.every((api) => NAME.test(api)), `--api ${NAME_RULE}`);
  must(scopes === undefined || scopes.every((scope) => SCOPE.test(scope)), `--scope ${SCOPE_RULE}`);
  checkTimes(from, until);
  const line = new StepLine(io);
  const request = { consumer, id, from, until, apis, scopes, plan, file: values.file };
  const issued = await issue(file, request, shower(file, json, io, line), line.guidance(file)).finally(() =>
    line.end(),
  );
  io.err(
    `key ${issued.id} of consumer ${consumer}: this is the only time it is shown; its digest is in ${issued.file}\n`,
  );
  return 0;
}

/** What an option names, however often. */
function onceEach(words: string[] | undefined): string[] | undefined {
  return words === undefined ? undefined : [...new Set(words)];
}

/** Prints an issued key. A failure to print keeps it from being stored. */
function shower(file: string, json: boolean, io: Io, line: StepLine): (issued: Issued) => Promise<void> {
  return (issued) => {
    line.end();
    return io
      .deliver(json ? `${JSON.stringify(issued)}\n` : `${issued.key}\n`)
      .catch((error: NodeJS.ErrnoException) => {
        throw new Refusal(
          `the key could not be printed (${error.code ?? error.message}), so nothing was written to ${file}`,
        );
      });
  };
}

export async function runRotate(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      consumer: { type: 'string' },
      id: { type: 'string' },
      overlap: { type: 'string', default: '7d' },
      until: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const { id, until, json } = values;
  const [name, ...rest] =
    values.consumer === undefined ? positionals.slice(1) : [values.consumer, ...positionals.slice(1)];
  must(
    positionals.length > 0 && rest.length === 0,
    `takes a POLICY and a CONSUMER; found ${positionals.length} arguments`,
  );
  const file = changeableFile(positionals.slice(0, 1));
  const consumer = needed('a CONSUMER', name);
  checkConsumer(consumer, values.consumer === undefined ? 'CONSUMER' : '--consumer');
  must(id === undefined || LABEL.test(id), `--id ${LABEL_RULE}`);
  checkTimes(undefined, until);
  const request = { consumer, id, overlapSeconds: overlapSeconds(values.overlap), until };
  const line = new StepLine(io);
  const show = shower(file, json, io, line);
  const rotated = await rotate(file, request, Date.now() / 1000, show, line.guidance(file)).finally(() => line.end());
  const { old, ...issued } = rotated;
  io.err(
    `key ${issued.id} of consumer ${consumer}: this is the only time it is shown; its digest is in ${issued.file}\n` +
      `key ${old.id} of consumer ${consumer} works until ${old.until}\n`,
  );
  return 0;
}

const SECONDS = { m: 60, h: 3600, d: 86_400 } as const;
const MAX_OVERLAP_SECONDS = 366 * SECONDS.d;

function overlapSeconds(text: string): number {
  const [, number, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const seconds = text === '0' ? 0 : Number(number) * SECONDS[unit as keyof typeof SECONDS];
  must(
    seconds <= MAX_OVERLAP_SECONDS,
    '--overlap must be a number of minutes, hours or days, such as 30m, 12h or 7d, of at most 366d; or 0',
  );
  return seconds;
}
