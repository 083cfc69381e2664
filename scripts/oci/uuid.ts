import { createHash } from 'node:crypto';

/** A UUID of version 8 (bits of one's own making) that follows from a value: formats ask for one, and chance has no place here. */
export function uuidFrom(value: unknown): string {
  const hex = createHash('sha256').update(JSON.stringify(value)).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
