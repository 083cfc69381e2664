import { apiAt, type POLICIES } from './policy.ts';
import { READERS, type Reading } from './readers.ts';
import type { Spelling } from './generate.ts';

/** The outcome of a request: the API that it matched (null for none), and what the upstream got. */
export interface Passed {
  readonly api: string | null;
  readonly forwarded: Spelling;
}

/**
 * Readers that find another API in the forwarded request than the one that it matched, or any API in a request that passed as
 * unmatched. Empty when all agree.
 */
export function dissent(apis: (typeof POLICIES)[string], { api, forwarded }: Passed): string[] {
  const found: string[] = [];
  for (const reader of READERS) {
    const reading: Reading | null = reader.read(forwarded.authority, forwarded.target);
    const seen = reading === null ? api : apiAt(apis, reading, reader.ignoresCase);
    if (seen !== api) found.push(`${reader.name}: ${seen ?? 'no API'} at ${JSON.stringify(reading)}`);
  }
  return found;
}
