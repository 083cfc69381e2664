import { Result, serializePairs } from './abi.ts';
import type { CallerFacts, Pair } from './stream.ts';

/** A property as the host hands it over, or the status without one. */
type Property = Buffer | typeof Result.notFound | typeof Result.serializationFailure;

/**
 * What Envoy answers about a stream's caller, for the segments of a path; null where the path begins with something else. Numbers
 * are doubles, a list is pairs whose names are its items, an object pairs: nothing in the bytes says which of these they are.
 */
export function callerProperty([first, ...rest]: readonly string[], caller: CallerFacts): Property | null {
  if (first === 'connection') return connectionProperty(rest, caller);
  if (first !== 'metadata') return null;
  if (rest[0] !== 'filter_metadata' || rest.length < 2) return Result.notFound;
  const value = rest.slice(1).reduce(member, caller.metadata ?? {});
  return value === undefined ? Result.notFound : (serialised(value) ?? Result.serializationFailure);
}

/** Of several names the first. `mtls` says that a certificate was shown, not that it was verified. */
function connectionProperty(path: readonly string[], { uriSans }: CallerFacts): Property {
  if (path.join('.') === 'mtls') return Buffer.from([uriSans === undefined ? 0 : 1]);
  const [first] = uriSans ?? [];
  return path.join('.') === 'uri_san_peer_certificate' && first !== undefined
    ? Buffer.from(first, 'latin1')
    : Result.notFound;
}

function member(value: unknown, segment: string): unknown {
  if (Array.isArray(value)) return /^\d+$/.test(segment) ? (value[Number(segment)] as unknown) : undefined;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
  return (value as Record<string, unknown>)[segment];
}

/** Null for what cannot be handed over, such as JSON's null, and for whatever holds it. */
function serialised(value: unknown): Buffer | null {
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  if (typeof value === 'boolean') return Buffer.from([value ? 1 : 0]);
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return bytes;
  }
  if (typeof value !== 'object' || value === null) return null;
  const pairs = Array.isArray(value)
    ? value.map((item): [Buffer | null, Buffer] => [serialised(item), Buffer.alloc(0)])
    : Object.entries(value).map(([name, item]): [Buffer, Buffer | null] => [
        Buffer.from(name, 'utf8'),
        serialised(item),
      ]);
  const texts = pairs.map((pair) => pair.map((part) => part?.toString('latin1')));
  return texts.some((pair) => pair.includes(undefined)) ? null : serializePairs(texts as unknown as Pair[]);
}
