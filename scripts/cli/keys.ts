import { parseArgs } from 'node:util';
import { decode } from '../file/read.ts';
import { openPolicy } from '../file/openPolicy.ts';
import { digestKey, inspectKey } from '../key/index.ts';
import {
  consumerNameRule,
  epochSeconds,
  type Key,
  LABEL,
  LABEL_RULE,
  NAME,
  NAME_RULE,
  type Policy,
} from '../policy/index.ts';
import { issue, type Issued } from '../policyFile/issue.ts';
import { revoke } from '../policyFile/revoke.ts';
import { type Command, type Io, Refusal, UsageError } from './command.ts';
import { promptForKey } from './prompt.ts';

/** Far more than any key has. */
const MAX_STDIN_BYTES = 65_536;

const usage = `tollgate keys: issues and revokes API keys

A policy holds digests (SHA-256) of keys, never keys. "issue" shows a key once; after that nobody can read it again, and a
lost key is replaced, not recovered. The file keeps its comments, its order and its line breaks.

usage:
  tollgate keys issue --consumer NAME [OPTION…] POLICY
      --consumer NAME    who gets the key
      --id ID            public id of the key (default: 8 random letters and digits)
      --from TIME        the key works from this time on, e.g. 2026-01-31T00:00:00Z
      --until TIME       the key works until this time, which must be in the future
      --plan PLAN        makes the consumer, with this plan, if there is none of that name
      --json             prints consumer, id, key and digest as JSON
    The key goes to standard output, everything else to standard error. It is printed before its digest is written: a key
    that cannot be printed is not stored. Several commands at once wait for each other.

  tollgate keys revoke --id ID [--consumer NAME] POLICY
    Sets "revoked: true". Delete the entry later, when nobody asks about the key any more.

  tollgate keys list POLICY [--json]
    Consumer, id, state (active, inactive, expired, revoked) and times of every key. - reads the policy from standard input.

  tollgate keys digest [--prompt]
    Reads a key from standard input and prints what goes into "digest:". For keys that another system issued.
      --prompt           asks for the key on the terminal, without showing it
    Takes no key as an argument: arguments end up in the shell's history and in the list of processes.

examples:
  tollgate keys issue --consumer acme petstore.policy.yaml
  tollgate keys issue --consumer initech --plan free --until 2027-01-01T00:00:00Z petstore.policy.yaml > initech.key
  tollgate keys revoke --id 4f9k2mXa petstore.policy.yaml
  tollgate keys digest < old.key

Rotating a key: issue the new one, hand it over, see in the access log that the old id is no longer used, revoke the old.`;

const subcommands: Record<string, (args: string[], io: Io) => Promise<number>> = {
  issue: runIssue,
  revoke: runRevoke,
  list: runList,
  digest: runDigest,
};

export const keys: Command = {
  usage,
  run: async ([name, ...args], io) => {
    const subcommand = name !== undefined && Object.hasOwn(subcommands, name) ? subcommands[name] : undefined;
    if (subcommand === undefined)
      throw new UsageError(
        name === undefined ? 'say issue, revoke, list or digest' : 'knows issue, revoke, list and digest only',
      );
    return subcommand(args, io);
  },
};

async function runIssue(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      consumer: { type: 'string' },
      id: { type: 'string' },
      from: { type: 'string' },
      until: { type: 'string' },
      plan: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const { id, from, until, plan, json } = values;
  const file = changeableFile(positionals);
  const consumer = needed('--consumer NAME', values.consumer);
  checkConsumer(consumer);
  must(id === undefined || LABEL.test(id), `--id ${LABEL_RULE}`);
  must(plan === undefined || NAME.test(plan), `--plan ${NAME_RULE}`);
  checkTimes(from, until);
  const show = (issued: Issued): Promise<void> =>
    io.deliver(json ? `${JSON.stringify(issued)}\n` : `${issued.key}\n`).catch((error: NodeJS.ErrnoException) => {
      throw new Refusal(
        `the key could not be printed (${error.code ?? error.message}), so nothing was written to ${file}`,
      );
    });
  const issued = await issue(file, { consumer, id, from, until, plan }, show, io.signal);
  io.err(`key ${issued.id} of consumer ${consumer}: this is the only time it is shown; its digest is in ${file}\n`);
  return 0;
}

function checkConsumer(name: string): void {
  const rule = consumerNameRule(name);
  must(rule === null, `--consumer ${rule}`);
}

function checkTimes(from: string | undefined, until: string | undefined): void {
  for (const [option, text] of Object.entries({ from, until })) {
    must(text === undefined || epochSeconds(text) !== null, `--${option} must be a time such as 2026-01-31T00:00:00Z`);
  }
  const begins = from === undefined ? null : epochSeconds(from);
  const ends = until === undefined ? null : epochSeconds(until);
  must(begins === null || ends === null || begins < ends, '--until must be after --from');
  must(ends === null || ends > Date.now() / 1000, '--until must be in the future: the key would have expired already');
}

async function runRevoke(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { id: { type: 'string' }, consumer: { type: 'string' } },
  });
  const file = changeableFile(positionals);
  const wanted = needed('--id ID', values.id);
  must(LABEL.test(wanted), `--id ${LABEL_RULE}`);
  if (values.consumer !== undefined) checkConsumer(values.consumer);
  const { consumer, id, already } = await revoke(file, wanted, values.consumer, io.signal);
  io.err(
    already
      ? `key ${id} of consumer ${consumer} was revoked before\n`
      : `key ${id} of consumer ${consumer} is revoked in ${file}\n`,
  );
  return 0;
}

async function runList(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false } },
  });
  const { policy } = await openPolicy(onlyFile(positionals), io.stdin);
  const listed = listKeys(policy, Date.now() / 1000);
  if (values.json) io.out(`${JSON.stringify(listed, null, 2)}\n`);
  else if (listed.length === 0) io.err('no keys\n');
  else io.out(`${printKeys(listed)}\n`);
  return 0;
}

async function runDigest(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { prompt: { type: 'boolean', default: false } },
  });
  must(
    positionals.every((name) => name === '-') && positionals.length <= 1,
    "takes no key as an argument, because the shell's history and the list of processes would show it; use standard input or --prompt",
  );
  if (!values.prompt && process.stdin.isTTY)
    io.err('reading the key from the terminal, where it shows; --prompt hides it. Ctrl-D ends it\n');
  const key = values.prompt ? await promptForKey((question) => io.err(question)) : await keyOnStdin(io);
  const digest = digestKey(key);
  if (inspectKey(key) === 'mistyped')
    io.err('warning: the key begins with tg_ but its checksum is wrong; it may be mistyped or cut off\n');
  io.out(`${digest}\n`);
  return 0;
}

/** Without the line break at its end, and the byte order mark that Windows may put before it. */
async function keyOnStdin(io: Io): Promise<string> {
  const decoded = decode(await io.stdin(MAX_STDIN_BYTES));
  if ('rule' in decoded) throw new Refusal(`standard input: ${decoded.rule}`);
  const [key = '', ...more] = decoded.text
    .replace(/^\ufeff/, '')
    .replace(/(?:\r?\n)+$/, '')
    .split(/\r?\n/);
  if (more.length > 0)
    throw new Refusal(`standard input must hold one key on one line; found ${more.length + 1} lines`);
  return key;
}

/** The POLICY of a command that changes it in its place. */
function changeableFile(positionals: readonly string[]): string {
  const file = onlyFile(positionals);
  must(file !== '-', 'changes POLICY in its place, so it must be a file; - is standard input');
  return file;
}

function needed(option: string, value: string | undefined): string {
  must(value !== undefined, `needs ${option}`);
  return value!;
}

/** The one POLICY of a command line. Positionals are never repeated in a message: one of them may be a key. */
function onlyFile(positionals: readonly string[]): string {
  must(positionals.length === 1, `takes one POLICY; found ${positionals.length} arguments`);
  return positionals[0]!;
}

function must(condition: boolean, rule: string): void {
  if (!condition) throw new UsageError(rule);
}

type KeyState = 'active' | 'inactive' | 'expired' | 'revoked';

interface ListedKey {
  readonly consumer: string;
  readonly id: string;
  readonly state: KeyState;
  readonly from?: string;
  readonly until?: string;
}

/** All keys of a policy in its order, with their state at a time. */
export function listKeys(policy: Policy, nowSeconds: number): ListedKey[] {
  return Object.entries(policy.consumers).flatMap(([consumer, { keys }]) =>
    keys.map((key) => ({
      consumer,
      id: key.id,
      state: stateOf(key, nowSeconds),
      ...(key.from !== undefined && { from: key.from }),
      ...(key.until !== undefined && { until: key.until }),
    })),
  );
}

/** In the order in which the module checks: revoked, not yet valid, expired. */
function stateOf(key: Key, nowSeconds: number): KeyState {
  if (key.revoked) return 'revoked';
  if (key.from !== undefined && nowSeconds < epochSeconds(key.from)!) return 'inactive';
  if (key.until !== undefined && nowSeconds >= epochSeconds(key.until)!) return 'expired';
  return 'active';
}

const COLUMNS = ['consumer', 'id', 'state', 'from', 'until'] as const;

/** A table with aligned columns. */
function printKeys(keys: readonly ListedKey[]): string {
  const rows = [
    COLUMNS.map((column) => column.toUpperCase()),
    ...keys.map((key) => COLUMNS.map((column) => key[column] ?? '-')),
  ];
  const widths = COLUMNS.map((_, index) => Math.max(...rows.map((row) => row[index]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
