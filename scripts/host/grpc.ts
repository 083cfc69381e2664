import { parsePairs, GrpcStatus, Result, type HostFunctions } from './abi.ts';
import type { Pair } from './stream.ts';
import type { Root, Vm } from './vm.ts';

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

/** The unary calls of a VM that nobody has answered yet. They belong to a root and end with it. */
export class GrpcClient {
  /** Readable in `proxy_on_grpc_receive` only. */
  received: Buffer | null = null;
  private readonly pending = new Map<number, Root>();
  private nextToken = 1;

  constructor(private readonly vm: Vm) {}

  get outstanding(): number {
    return this.pending.size;
  }

  /** Sends a call; returns its token, or 0 when it could not begin. */
  start(root: Root, call: GrpcCall): number {
    const token = this.nextToken;
    // Envoy gives odd numbers to calls and even ones to streams.
    this.nextToken += 2;
    const answer = this.vm.process.backend(call);
    if (answer === null) {
      // Envoy refuses the call, and yet closes it once the callback is over, with a token that the guest never got.
      this.vm.defer(() => this.close(root, token, GrpcStatus.unavailable));
      return 0;
    }
    this.pending.set(token, root);
    this.schedule(token, call, answer);
    return token;
  }

  /** The guest wants no answer any more; the service may have seen the call. */
  cancel(token: number): number {
    if (token % 2 === 0) return Result.badArgument;
    return this.pending.delete(token) ? Result.ok : Result.notFound;
  }

  cancelAllOf(root: Root): void {
    for (const [token, owner] of this.pending) if (owner === root) this.pending.delete(token);
  }

  private schedule(token: number, call: GrpcCall, answer: GrpcAnswer): void {
    const { timeline } = this.vm.process;
    let result: Buffer | number = GrpcStatus.unavailable;
    timeline.after(answer.arrivesAfterMs, () => {
      result = answer.result();
    });
    if (answer.afterMs < call.timeoutMs) timeline.after(answer.afterMs, () => this.settle(token, result));
    else timeline.after(call.timeoutMs, () => this.settle(token, GrpcStatus.unavailable));
  }

  private settle(token: number, result: Buffer | number): void {
    const root = this.pending.get(token);
    if (root === undefined) return;
    this.pending.delete(token);
    if (typeof result === 'number') return this.close(root, token, result);
    this.received = result;
    this.vm.callRoot(root, 'proxy_on_grpc_receive', token, result.length);
    this.received = null;
  }

  private close(root: Root, token: number, status: number): void {
    this.vm.callRoot(root, 'proxy_on_grpc_close', token, status);
  }
}

/** Unary gRPC calls. They belong to the root, whichever stream is current. There are no gRPC streams. */
export function grpcCalls(vm: Vm): HostFunctions {
  const text = (pointer: number, size: number, what: string): string =>
    vm.memory.text(pointer, size, `grpc_call: ${what}`);
  return {
    grpc_call: (
      service,
      serviceSize,
      name,
      nameSize,
      method,
      methodSize,
      metadata,
      metadataSize,
      message,
      messageSize,
      timeoutMs,
      tokenPointer,
    ) => {
      const root = (vm.effective ?? vm.current)?.root;
      if (root === undefined) return vm.misuse('grpc_call without a context', Result.badArgument);
      const cluster = grpcClusterOf(vm.memory.read(service, serviceSize, 'grpc_call: service'));
      // In Envoy a bare cluster name works too, unless it happens to be valid protobuf.
      if (cluster === null) return vm.misuse('grpc_call with no GrpcService', Result.parseFailure);
      if (timeoutMs === 0)
        return vm.misuse('grpc_call without a timeout: it ends at once, or never', Result.internalFailure);
      if (vm.replied)
        return vm.misuse('grpc_call after a local reply in the same callback: a crash in Envoy', Result.ok);
      vm.observer?.took(serviceSize + nameSize + methodSize + metadataSize + messageSize);
      const token = vm.grpc.start(root, {
        cluster,
        service: text(name, nameSize, 'service name'),
        method: text(method, methodSize, 'method'),
        metadata: parsePairs(vm.memory.read(metadata, metadataSize, 'grpc_call: metadata')),
        message: Buffer.from(vm.memory.read(message, messageSize, 'grpc_call: message')),
        timeoutMs,
      });
      if (token === 0) return Result.internalFailure;
      vm.calledOut = true;
      vm.memory.setU32(tokenPointer, token, 'grpc_call: place for the token');
      return Result.ok;
    },
    grpc_cancel: (token) => vm.grpc.cancel(token),
    grpc_close: (token) => vm.grpc.cancel(token),
  };
}

/*
 * envoy.config.core.v3.GrpcService as far as a guest uses it:
 *   field 1, envoy_grpc: message { field 1, cluster_name: text; field 2, authority: text }
 */
const ENVOY_GRPC = 1;
const CLUSTER_NAME = 1;
const AUTHORITY = 2;
const LENGTH_DELIMITED = 2;

/**
 * The cluster named by a serialized GrpcService, or null when the bytes are something else, or when the calls would have an
 * authority that HTTP/2 servers refuse: without one of its own, Envoy sends the cluster's name.
 */
export function grpcClusterOf(service: Buffer): string | null {
  const envoyGrpc = fieldsOf(service)?.get(ENVOY_GRPC);
  const fields = envoyGrpc && fieldsOf(envoyGrpc);
  const name = fields?.get(CLUSTER_NAME)?.toString('latin1') ?? '';
  const authority = fields?.get(AUTHORITY)?.toString('latin1') ?? name;
  return name !== '' && /^[A-Za-z0-9._:-]+$/.test(authority) ? name : null;
}

/** A message of strings and messages with fields of numbers up to 15; null for any other. Lengths up to 16383 bytes. */
function fieldsOf(message: Buffer): Map<number, Buffer> | null {
  const fields = new Map<number, Buffer>();
  for (let at = 0; at < message.length;) {
    const tag = message[at++]!;
    if ((tag & 7) !== LENGTH_DELIMITED || tag >= 0x80 || at >= message.length) return null;
    let length = message[at++]!;
    if (length >= 0x80) length = (length & 0x7f) + (message[at++] ?? 0x80) * 128;
    if (length >= 0x4000 || at + length > message.length || fields.has(tag >> 3)) return null;
    fields.set(tag >> 3, message.subarray(at, at + length));
    at += length;
  }
  return fields.size === 0 ? null : fields;
}
