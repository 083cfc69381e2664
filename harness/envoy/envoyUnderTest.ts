import { LocalEnvoy, type LocalEnvoyOptions } from '../../scripts/envoy/localEnvoy.ts';
import { type Snapshot, snapshotOf } from '../../scripts/envoy/snapshot.ts';
import type { AccessEntry } from '../../scripts/envoy/accessLog.ts';
import { compilePolicy, validPolicy } from '../../scripts/policy/index.ts';
import { startEcho, type Echo, type EchoAnswer, type Seen } from '../../scripts/upstream/echo.ts';
import type { Available } from './available.ts';

export interface TestOptions extends Partial<
  Pick<LocalEnvoyOptions, 'concurrency' | 'connectionManager' | 'transportSocket' | 'filtersBefore' | 'verifiesTokens'>
> {
  /** One upstream for all names of the policy (default), or one for each. */
  upstreamPerName?: boolean;
}

/** An Envoy with echo upstreams: requests end at the echoes, whatever URLs the policy names. */
export class EnvoyUnderTest {
  readonly entries: AccessEntry[] = [];
  readonly accessLines: string[] = [];
  readonly seen: Seen[] = [];
  readonly replies: string[] = [];
  /** What an answer of an upstream waits for, where it is told to wait. */
  holds: ((seen: Seen) => Promise<EchoAnswer | void> | undefined) | null = null;
  /** What is different about the answers of those that wait for nothing. */
  answers: EchoAnswer = {};
  private readonly echoes = new Map<string, Echo>();
  private waiting: (() => void) | null = null;
  envoy!: LocalEnvoy;

  private constructor(private readonly options: TestOptions) {}

  static async start(policy: string, found: Available, options: TestOptions = {}): Promise<EnvoyUnderTest> {
    if (found.skip !== false) throw new Error(found.skip);
    const test = new EnvoyUnderTest(options);
    const snapshot = await test.snapshot(policy);
    test.envoy = await LocalEnvoy.start(snapshot, {
      envoy: found.envoy,
      module: found.module,
      concurrency: options.concurrency ?? 2,
      port: 0,
      adminPort: 0,
      // more than the filter must handle itself: a key of 64 KB
      maxRequestHeadersKb: 96,
      accessLogFlushMs: 1,
      ...(options.connectionManager && { connectionManager: options.connectionManager }),
      ...(options.transportSocket && { transportSocket: options.transportSocket }),
      ...(options.filtersBefore && { filtersBefore: options.filtersBefore }),
      ...(options.verifiesTokens !== undefined && { verifiesTokens: options.verifiesTokens }),
      onAccess: (entry) => {
        test.entries.push(entry);
        test.waiting?.();
      },
    });
    return test;
  }

  get port(): number {
    return this.envoy.port;
  }

  /** Compiles a policy text at a time, with the echoes as its upstreams. */
  async snapshot(text: string, atMs: number = Date.now()): Promise<Snapshot> {
    const { policy } = validPolicy(text, 'case.policy.yaml');
    const overrides = new Map<string, string>();
    for (const name of Object.keys(policy.upstreams ?? {}))
      overrides.set(name, (await this.echo(this.options.upstreamPerName ? name : 'echo')).url);
    return snapshotOf(policy, compilePolicy(policy, atMs / 1000), overrides);
  }

  private async echo(name: string): Promise<Echo> {
    const known = this.echoes.get(name);
    if (known) return known;
    const echo = await startEcho(name, (seen) => {
      this.seen.push(seen);
      return this.holds?.(seen) ?? this.answers;
    });
    this.echoes.set(name, echo);
    return echo;
  }

  async edit(policy: string): Promise<void> {
    await this.envoy.apply(await this.snapshot(policy));
  }

  /** The access log's entry at that index, which is written a moment after the reply. */
  async entry(index: number, timeoutMs = 2000): Promise<AccessEntry> {
    const deadline = Date.now() + timeoutMs;
    while (this.entries.length <= index) {
      if (Date.now() > deadline) throw new Error(`no entry ${index} in the access log within ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        this.waiting = resolve;
        setTimeout(resolve, 50);
      });
    }
    return this.entries[index]!;
  }

  async stop(): Promise<void> {
    await this.envoy?.stop();
    for (const echo of this.echoes.values()) await echo.close();
  }
}
