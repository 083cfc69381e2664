import { basename } from 'node:path';
import { Refusal } from '../cli/command.ts';
import { compilePolicy, type PluginConfig, type Policy } from '../policy/index.ts';
import type { AccessEntry } from './accessLog.ts';
import { describeChange } from './change.ts';
import { Follower } from './follow.ts';
import { LocalEnvoy, type LocalEnvoyOptions } from './localEnvoy.ts';
import { checkedPolicy, policyTextOf } from './policyFile.ts';
import { notesOf } from './note.ts';
import { snapshotOf, type RateLimitServiceAddress, type Overrides } from './policySnapshot.ts';

/** What the server tells about itself while it runs. */
export interface Report {
  access(entry: AccessEntry): void;
  /** An edit is in force, or was refused and why. */
  notice(text: string): void;
  /** A line of Envoy's own log. */
  log(line: string): void;
}

export interface PolicyServerOptions extends Omit<LocalEnvoyOptions, 'onAccess' | 'onLog'> {
  /** The policy file; what messages call it, if there is a `text`. */
  file: string;
  /** Read before, from what can be read once only. */
  text?: string | undefined;
  overrides?: Overrides;
  /** Where the policy's rate limit service is; null or absent: nowhere. */
  rateLimitService?: RateLimitServiceAddress | null;
  /** False where warnings of the policy say nothing: the demo gives keys to consumers without any. */
  warn?: boolean;
  /** Last change to a compiled config before it is served: where the demo adds its keys. */
  amend?(config: PluginConfig): PluginConfig;
}

/** An Envoy that serves a policy file, and follows its edits once `watch` is called. */
export class PolicyServer {
  private readonly follower: Follower;

  private constructor(
    private readonly options: PolicyServerOptions,
    private readonly report: Report,
    readonly envoy: LocalEnvoy,
    private loaded: Loaded,
    text: string,
    private readonly calm: { applying: boolean },
  ) {
    this.follower = new Follower(
      { file: options.file, take: (text) => this.edit(text), say: (words) => report.notice(words) },
      text,
    );
  }

  /** Throws a Refusal when the policy has problems or Envoy does not take it. */
  static async start(options: PolicyServerOptions, report: Report): Promise<PolicyServer> {
    const text = options.text ?? (await policyTextOf(options.file));
    const loaded = load(text, options);
    // what Envoy logs while it takes or refuses a configuration is part of the answer, not news
    const calm = { applying: true };
    const onLog = (line: string): void => (calm.applying ? undefined : report.log(line));
    const envoy = await LocalEnvoy.start(loaded.snapshot, {
      ...options,
      onAccess: (entry) => report.access(entry),
      onLog,
    });
    calm.applying = false;
    [...loaded.warnings, ...loaded.notes].forEach((warning) => report.notice(warning));
    return new PolicyServer(options, report, envoy, loaded, text, calm);
  }

  /** The plugin config in force. */
  get config(): PluginConfig {
    return this.loaded.config;
  }

  /** Follows edits from now on, and those that were made while Envoy started; every refusal ends in the report. */
  watch(): void {
    this.follower.start();
  }

  private async edit(text: string): Promise<void> {
    const next = load(text, this.options);
    this.calm.applying = true;
    try {
      await this.envoy.apply(next.snapshot);
    } finally {
      this.calm.applying = false;
    }
    const change = describeChange(whole(this.loaded), whole(next));
    const known = [...this.loaded.warnings, ...this.loaded.notes];
    const news = [...next.warnings, ...next.notes].filter((text) => !known.includes(text));
    this.loaded = next;
    this.report.notice([`${basename(this.options.file)} in force: ${change}`, ...news].join('\n'));
  }

  async stop(): Promise<void> {
    await this.follower.stop();
    this.calm.applying = true;
    await this.envoy.stop();
  }
}

interface Loaded {
  policy: Policy;
  warnings: readonly string[];
  notes: readonly string[];
  config: PluginConfig;
  snapshot: ReturnType<typeof snapshotOf>;
}

function load(text: string, options: PolicyServerOptions): Loaded {
  const { policy, warnings } = checkedPolicy(text, options.file);
  const compiled = compilePolicy(policy);
  const config = options.amend?.(compiled) ?? compiled;
  const { overrides, rateLimitService = null } = options;
  return {
    policy,
    warnings: options.warn === false ? [] : warnings,
    notes: notesOf(policy, rateLimitService),
    config,
    snapshot: snapshotOf(policy, config, overrides, rateLimitService),
  };
}

function whole({ config, snapshot: { upstreams, routes } }: Loaded): Record<string, unknown> {
  return { ...config, upstreams, routes };
}

/** Resolves when the user stops the command; throws when Envoy ends by itself. */
export async function untilStopped(server: PolicyServer, signal: AbortSignal): Promise<void> {
  const stopped = new Promise<'stopped'>((done) => {
    if (signal.aborted) done('stopped');
    signal.addEventListener('abort', () => done('stopped'), { once: true });
  });
  const first = await Promise.race([stopped, server.envoy.ended]);
  if (first === 'stopped') return;
  const lastWords = server.envoy.logged
    .slice(-10)
    .map((line) => `\n  ${line}`)
    .join('');
  throw new Refusal(`Envoy ended by itself with exit code ${first}:${lastWords}`);
}
