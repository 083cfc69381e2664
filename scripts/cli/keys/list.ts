import { parseArgs } from 'node:util';
import { openPolicy } from '../../file/openPolicy.ts';
import { epochSeconds, type Key, LABEL, LABEL_RULE, type Policy } from '../../policy/index.ts';
import { revoke } from '../../policyFile/revoke.ts';
import type { Io } from '../command.ts';
import { StepLine } from './stepLine.ts';
import { changeableFile, checkConsumer, must, needed, onlyFile } from './argument.ts';

export async function runRevoke(args: string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { id: { type: 'string' }, consumer: { type: 'string' } },
  });
  const file = changeableFile(positionals);
  const wanted = needed('--id ID', values.id);
  must(LABEL.test(wanted), `--id ${LABEL_RULE}`);
  if (values.consumer !== undefined) checkConsumer(values.consumer);
  const line = new StepLine(io);
  const revoking = revoke(file, wanted, values.consumer, line.guidance(file));
  const { consumer, id, already, file: holder } = await revoking.finally(() => line.end());
  io.err(
    already
      ? `key ${id} of consumer ${consumer} was revoked before\n`
      : `key ${id} of consumer ${consumer} is revoked in ${holder}\n`,
  );
  return 0;
}

export async function runList(args: string[], io: Io): Promise<number> {
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

type KeyState = 'active' | 'inactive' | 'expired' | 'revoked';

interface ListedKey {
  readonly consumer: string;
  readonly id: string;
  readonly state: KeyState;
  readonly from?: string;
  readonly until?: string;
  readonly apis?: readonly string[];
  readonly scopes?: readonly string[];
  readonly addresses?: Key['addresses'];
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
      ...(key.apis !== undefined && { apis: key.apis }),
      ...(key.scopes !== undefined && { scopes: key.scopes }),
      ...(key.addresses !== undefined && { addresses: key.addresses }),
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
/** Shown where a key has some. */
const LIMITS = ['apis', 'scopes', 'addresses'] as const;

/** A table with aligned columns. */
function printKeys(keys: readonly ListedKey[]): string {
  const columns = [...COLUMNS, ...LIMITS.filter((limit) => keys.some((key) => key[limit] !== undefined))];
  const rows = [
    columns.map((column) => column.toUpperCase()),
    ...keys.map((key) => columns.map((column) => cellOf(key, column))),
  ];
  const widths = columns.map((_, index) => Math.max(...rows.map((row) => row[index]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cellOf(key: ListedKey, column: (typeof COLUMNS)[number] | (typeof LIMITS)[number]): string {
  if (column === 'apis' || column === 'scopes') return key[column]?.join(' ') ?? '-';
  if (column !== 'addresses') return key[column] ?? '-';
  const { allow = [], deny = [] } = key.addresses ?? {};
  return [...allow, ...deny.map((block) => `!${block}`)].join(' ') || '-';
}
