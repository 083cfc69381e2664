import type { Pair } from './pairs.ts';

/** A unary gRPC call that a guest made. */
export interface GrpcCall {
  readonly cluster: string;
  readonly service: string;
  readonly method: string;
  readonly metadata: Pair[];
  readonly message: Buffer;
  readonly timeoutMs: number;
}

export interface GrpcAnswer {
  /** When the service sees the call, whether or not somebody still waits for the answer then. */
  readonly arrivesAfterMs: number;
  /** When the caller hears of it; later than the call's timeout, or Infinity: it hears of the timeout only. */
  readonly afterMs: number;
  /** What the service does on arrival: a message, or a gRPC status other than 0. */
  readonly result: () => Buffer | number;
}

/** The network behind an Envoy, in virtual time. Null: no cluster of that name. Several Envoys may share one. */
export type Backend = (call: GrpcCall) => GrpcAnswer | null;

export const noBackend: Backend = () => null;
