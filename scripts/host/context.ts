import type { Stream } from './stream.ts';

/** A plugin as configured: Istio sets root id and name to the same text and leaves the VM id empty. */
export interface Plugin {
  readonly name: string;
  readonly rootId: string;
  readonly configuration: Buffer;
}

/**
 * A root (stream is null) or a request's context, by the id the guest knows. A stream's context outlives the stream: Envoy
 * deletes it a little later, and until then takes it as effective context, although nothing of the stream is left.
 */
export interface Context {
  readonly id: number;
  readonly root: Root;
  readonly stream: Stream | null;
  ended: boolean;
}

export interface Root {
  readonly id: number;
  readonly plugin: Plugin;
  tickPeriodMs: number;
  /** On the process's elapsed time. */
  nextTickMs: number;
  streams: number;
  /** No configuration uses it any more; it goes with its last stream. */
  retiring: boolean;
}

export function newRoot(id: number, plugin: Plugin): Root {
  return { id, plugin, tickPeriodMs: 0, nextTickMs: Infinity, streams: 0, retiring: false };
}
