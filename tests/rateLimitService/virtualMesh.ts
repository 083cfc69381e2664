import assert from 'node:assert/strict';
import type { PluginConfig } from '../../harness/config.ts';
import type { Label, MetricName } from '../../scripts/contract/metrics.ts';
import { Host } from '../../scripts/host/host.ts';
import { loadModule } from '../../scripts/host/abi.ts';
import { modulePath } from '../../scripts/build/module.ts';
import { decisionOf, type OpenRequest, type UpstreamAnswer } from '../../scripts/host/openRequest.ts';
import type { Pair } from '../../scripts/host/stream.ts';
import { Timeline } from '../../scripts/host/process.ts';
import {
  keyOf,
  meshConfig,
  POLICY,
  rulesOf,
  type MeshOptions,
  type MeshQuota,
} from '../../harness/rateLimitService/meshPolicy.ts';
import type { Rule } from '../../harness/rateLimitService/rateLimitServiceModel.ts';
import { VirtualRateLimitService } from './virtualRateLimitService.ts';

export const START_MS = Date.UTC(2026, 0, 15, 12, 10);
const module = loadModule(modulePath);

export interface VirtualMeshOptions extends MeshOptions {
  readonly envoys: number;
  readonly workers?: number;
  readonly quotas: readonly MeshQuota[];
  /** What the service knows beside the quotas' own. */
  readonly rules?: readonly Rule[];
  readonly startMs?: number;
  readonly latencyMs?: () => number;
  /** What the service knows, when it is not what the policy says. */
  readonly serviceDomain?: string;
  readonly serviceAheadMs?: number;
  /** The delay between the starts of two Envoys, and so between their ticks. */
  readonly staggerMs?: number;
  readonly mainThread?: boolean;
  /** What the upstream answers. */
  readonly upstream?: UpstreamAnswer;
}

/** Outcomes by reason; `gone` for requests whose client hung up. */
export type Outcomes = Record<string, number>;

/** Several Envoys in Node and one service, in virtual time. */
export class VirtualMesh {
  readonly timeline: Timeline;
  readonly rateLimitService: VirtualRateLimitService;
  readonly hosts: Host[];
  /** Requests that are paused now. */
  readonly paused = new Set<OpenRequest>();
  sent = 0;
  waited = 0;
  longestWaitMs = 0;
  readonly outcomes: Outcomes = {};

  constructor(options: VirtualMeshOptions) {
    this.timeline = new Timeline(options.startMs ?? START_MS);
    this.rateLimitService = new VirtualRateLimitService({
      domain: options.serviceDomain ?? options.domain ?? POLICY,
      rules: [...rulesOf(options.quotas), ...(options.rules ?? [])],
      timeline: this.timeline,
      latencyMs: options.latencyMs ?? (() => 2),
      aheadMs: options.serviceAheadMs ?? 0,
    });
    this.hosts = Array.from(
      { length: options.envoys },
      () =>
        new Host(module, {
          workers: options.workers ?? 2,
          mainThread: options.mainThread ?? true,
          timeline: this.timeline,
          backend: this.rateLimitService.backend,
          ...(options.upstream && { upstream: options.upstream }),
        }),
    );
    this.load(meshConfig(options.quotas, options), options.staggerMs);
  }

  load(config: PluginConfig, staggerMs = 0): void {
    for (const host of this.hosts) {
      assert.ok(host.load(JSON.stringify(config)), host.logs().join('\n'));
      this.pass(staggerMs);
    }
  }

  /** Sends one request and notes what becomes of it, now or later; of no consumer: without a key. */
  ask(
    envoy: number,
    worker = 0,
    consumer: string | null = 'acme',
    then?: (reason: string, request: OpenRequest) => void,
    path?: string,
  ): OpenRequest {
    this.sent++;
    let waits = false;
    const request = this.hosts[envoy]!.open(requestOf(consumer, path), {
      worker,
      onEnd: (ended) => {
        if (waits) {
          this.paused.delete(ended);
          this.longestWaitMs = Math.max(this.longestWaitMs, ended.waitedMs);
        }
        const reason = reasonOf(ended);
        this.outcomes[reason] = (this.outcomes[reason] ?? 0) + 1;
        then?.(reason, ended);
      },
    });
    if (request.paused) {
      waits = true;
      this.waited++;
      this.paused.add(request);
    }
    return request;
  }

  pass(ms: number): void {
    this.timeline.pass(ms);
  }

  outcome(reason: string): number {
    return this.outcomes[reason] ?? 0;
  }

  get allowed(): number {
    return this.outcome('allowed');
  }

  /** The sum over all Envoys. A name that the module does not define fails: 0 would look like nothing counted. */
  metric(name: MetricName, labels: Partial<Record<Label, string>> = {}): number {
    return this.hosts.reduce((sum, host) => {
      const series = host.series(name, { policy: POLICY, ...labels });
      assert.ok(series.length > 0, `no series ${name}`);
      return sum + series.reduce((all, { value }) => all + value, 0);
    }, 0);
  }

  get faults(): string[] {
    return this.hosts.flatMap((host) => host.faults);
  }

  /** Asserts that there was no trap and no misuse of the host, and that no request is still waiting. */
  assertSound(): void {
    assert.deepEqual(this.faults, []);
    assert.equal(this.paused.size, 0, 'requests that wait for ever');
  }
}

export function requestOf(consumer: string | null, path = '/v1/pets'): Pair[] {
  return [
    [':authority', 'a.test'],
    [':path', path],
    [':method', 'GET'],
    ...(consumer === null ? [] : [['x-api-key', keyOf(consumer)] satisfies Pair]),
  ];
}

function reasonOf(request: OpenRequest): string {
  const { exchange } = request;
  if (exchange === null) return 'gone';
  return decisionOf(exchange)?.reason ?? exchange.details;
}
