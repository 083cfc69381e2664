import type { Finding } from '../yaml/compose.ts';
import { inspectKey } from '../../key/key.ts';

const CANDIDATE = /tg_[A-Za-z0-9._@-]{1,127}_[0-9A-Za-z]{33}/g;

/** Keys of our own in clear text anywhere in the file, comments included; the checksum tells them from anything else. */
export function leakedKeys(text: string): Finding[] {
  return [...text.matchAll(CANDIDATE)]
    .filter((match) => inspectKey(match[0]) === 'valid')
    .map((match) => ({
      offset: match.index,
      path: [],
      rule: 'must not hold a key in clear text; revoke that key, and store only digests',
    }));
}
