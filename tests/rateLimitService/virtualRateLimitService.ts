import type { Backend, GrpcCall } from '../../scripts/host/grpc.ts';
import type { Random } from '../../harness/random.ts';
import type { Timeline } from '../../scripts/host/process.ts';
import { RateLimitServiceModel, type Rule } from '../../harness/rateLimitService/rateLimitServiceModel.ts';
import { CLUSTER } from '../../harness/rateLimitService/meshPolicy.ts';
import { decodeAsk, METHOD, SERVICE } from '../../harness/rateLimitService/protocol.ts';

export interface VirtualOptions {
  readonly domain: string;
  readonly rules: readonly Rule[];
  readonly timeline: Timeline;
  /** How long one call takes there and back; the service counts it halfway. */
  readonly latencyMs: () => number;
  /** How far its clock is ahead of the Envoys'. */
  readonly aheadMs?: number;
}

export interface SeenAsk {
  readonly atMs: number;
  readonly hits: number;
}

/** The model of the service in virtual time, for any number of Envoys at once. */
export class VirtualRateLimitService {
  readonly model: RateLimitServiceModel;
  /** Calls that it has counted. */
  readonly asks: SeenAsk[] = [];
  /** When calls began, whatever became of them. */
  readonly calls: number[] = [];
  peakInFlight = 0;
  private inFlight = 0;
  /** In place of the model's answer: a message, a gRPC status, or null for none at all. */
  fault: ((call: GrpcCall) => Buffer | number | null) | null = null;
  readonly backend: Backend = (call) => this.take(call);

  constructor(private readonly options: VirtualOptions) {
    this.model = new RateLimitServiceModel(options.domain, options.rules);
  }

  /** By the service's own clock. */
  get nowMs(): number {
    return this.options.timeline.clock.wallMs + (this.options.aheadMs ?? 0);
  }

  private take(call: GrpcCall): ReturnType<Backend> {
    if (call.cluster !== CLUSTER || call.service !== SERVICE || call.method !== METHOD) return null;
    const afterMs = this.options.latencyMs();
    this.peakInFlight = Math.max(this.peakInFlight, ++this.inFlight);
    this.options.timeline.after(afterMs, () => this.inFlight--);
    this.calls.push(this.options.timeline.clock.elapsed);
    const { fault } = this;
    if (fault === null) return { arrivesAfterMs: afterMs / 2, afterMs, result: () => this.count(call) };
    const result = fault(call);
    return { arrivesAfterMs: afterMs / 2, afterMs: result === null ? Infinity : afterMs, result: () => result ?? 14 };
  }

  private count(call: GrpcCall): Buffer {
    this.asks.push({ atMs: this.options.timeline.clock.elapsed, hits: decodeAsk(call.message).hits });
    return this.model.answer(call.message, this.nowMs);
  }
}

/** Most calls near the median, some much later: a log-normal distribution, cut off at `mostMs`. */
export function logNormal(random: Random, medianMs: number, sigma: number, mostMs: number): () => number {
  return () => {
    const normal = Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
    return Math.min(mostMs, medianMs * Math.exp(sigma * normal));
  };
}
