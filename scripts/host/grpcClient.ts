import { GrpcStatus, Result } from './abi.ts';
import type { GrpcAnswer, GrpcCall } from './backend.ts';
import type { Root } from './context.ts';
import type { Vm } from './vm.ts';

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

  /** Sends a call; its token, or 0 when it could not even begin. */
  start(root: Root, call: GrpcCall): number {
    const token = this.nextToken;
    // Envoy gives odd numbers to calls and even ones to streams.
    this.nextToken += 2;
    const answer = this.vm.process.backend(call);
    if (answer === null) {
      // Envoy refuses the call and closes it all the same, once the callback is over: with a token that the guest never got.
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
