import type { Finding } from './compose.ts';
import type { Cursor } from './cursor.ts';
import { foundAt, quote } from './secret.ts';

/** Collects what the checks find. */
export class Report {
  readonly findings: Finding[] = [];

  /** `found` is a text to quote; without it the value at the place is shown, where that is safe; null shows nothing. */
  add(at: Cursor, rule: string, found?: string | null): void {
    const shown = found === undefined ? at.node && foundAt(at.node, at.path) : found === null ? undefined : quote(found);
    this.findings.push({ offset: at.offset, path: at.path, rule, found: shown });
  }
}

/** ` (a, b, c)`: what a reference could have named, as long as that is short. */
export function hint(names: readonly string[]): string {
  const unique = [...new Set(names)];
  if (unique.length === 0) return '; there is none';
  return unique.length > 8 ? '' : ` (${unique.join(', ')})`;
}
