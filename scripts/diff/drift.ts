import { isDeepStrictEqual } from 'node:util';

/** One value of the cluster that is not what the folder's files say. */
export interface Drift {
  /** `KIND NAMESPACE/NAME` */
  readonly object: string;
  /** Steps joined by dots; empty: the whole object. */
  readonly path: string;
  /** JSON; undefined: not there. */
  readonly wanted: string | undefined;
  readonly live: string | undefined;
}

const LONGEST_VALUE = 200;

/** Where two values differ, as deep as both are mappings, or lists of the same length. */
export function differences(wanted: unknown, live: unknown, path: readonly string[] = []): Omit<Drift, 'object'>[] {
  if (isDeepStrictEqual(wanted, live)) return [];
  if (isMapping(wanted) && isMapping(live))
    return [...new Set([...Object.keys(wanted), ...Object.keys(live)])].flatMap((name) =>
      differences(wanted[name], live[name], [...path, name]),
    );
  if (Array.isArray(wanted) && Array.isArray(live) && wanted.length === live.length)
    return wanted.flatMap((item, index) => differences(item, live[index], [...path, String(index)]));
  return [{ path: path.join('.'), wanted: textOf(wanted), live: textOf(live) }];
}

export function printDrift(drift: Drift): string {
  return drift.path === '' ? `${drift.object}: is not in the cluster` : `${drift.object}: ${printField(drift)}`;
}

export function printField({ path, wanted, live }: Omit<Drift, 'object'>): string {
  return `${path}: ${live === undefined ? `is missing; the file says ${wanted}` : `is ${live}; ${wanted === undefined ? 'no file says so' : `the file says ${wanted}`}`}`;
}

function textOf(value: unknown): string | undefined {
  const text = value === undefined ? undefined : JSON.stringify(value);
  return text !== undefined && text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
