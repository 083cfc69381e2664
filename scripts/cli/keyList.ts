import { epochSeconds, type Key, type Policy } from '../policy/index.ts';

export type KeyState = 'active' | 'inactive' | 'expired' | 'revoked';

export interface ListedKey {
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

/** In the order in which the module judges: revoked, not yet begun, over. */
function stateOf(key: Key, nowSeconds: number): KeyState {
  if (key.revoked) return 'revoked';
  if (key.from !== undefined && nowSeconds < epochSeconds(key.from)!) return 'inactive';
  if (key.until !== undefined && nowSeconds >= epochSeconds(key.until)!) return 'expired';
  return 'active';
}

const COLUMNS = ['consumer', 'id', 'state', 'from', 'until'] as const;

/** A table with aligned columns. */
export function printKeys(keys: readonly ListedKey[]): string {
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
