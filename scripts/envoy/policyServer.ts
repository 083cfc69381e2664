import { basename } from 'node:path';
import { EnvoyError } from './error.ts';
import { type PolicySource, readSource, validSource } from '../file/openPolicy.ts';
import { compilePolicy, observedText, printWarnings, type PluginConfig, type Policy } from '../policy/index.ts';
import { visibleName } from '../policy/secret.ts';
import { type AccessEntry, withLogFields } from './accessLog.ts';
import { Follower } from './follow.ts';
import { LocalEnvoy, type LocalEnvoyOptions } from './localEnvoy.ts';
import { type RateLimitServiceAddress, snapshotOf } from './snapshot.ts';
import { folderOf, type Overrides, readTrust } from './trust.ts';

/** What the server reports while it runs. */
export interface Announcer {
  access(entry: AccessEntry): void;
  /** An edit is in force, or was refused and why. */
  notice(text: string): void;
  /** A line of Envoy's own log. */
  log(line: string): void;
}

interface PolicyServerOptions extends Omit<LocalEnvoyOptions, 'onAccess' | 'onLog'> {
  /** The policy's file or folder; what messages call it, if there is a `source`. */
  file: string;
  /** Read before, from what can be read once only. */
  source?: PolicySource | undefined;
  overrides?: Overrides;
  /** Where the policy's rate limit service is; null or absent: nowhere. */
  rateLimitService?: RateLimitServiceAddress | null;
  /** False where the policy's warnings do not apply: the demo gives keys to consumers without any. */
  warn?: boolean;
  /** Last change to a compiled config before it is served: where the demo adds its keys. */
  amend?(config: PluginConfig): PluginConfig;
}

/** An Envoy that serves a policy, and follows its edits once `watch` is called. */
export class PolicyServer {
  private readonly follower: Follower;

  private constructor(
    private readonly options: PolicyServerOptions,
    private readonly report: Announcer,
    readonly envoy: LocalEnvoy,
    private loaded: Loaded,
    source: PolicySource,
    private readonly calm: { applying: boolean },
  ) {
    this.follower = new Follower(
      { file: options.file, take: (next) => this.edit(next), say: (words) => report.notice(words) },
      source,
    );
  }

  /** Rejects with PolicyProblems when the policy has problems, with EnvoyError when Envoy does not take it. */
  static async start(options: PolicyServerOptions, report: Announcer): Promise<PolicyServer> {
    const source = options.source ?? (await readSource(options.file));
    const loaded = await load(source, options);
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
    return new PolicyServer(options, report, envoy, loaded, source, calm);
  }

  /** The plugin config in force. */
  get config(): PluginConfig {
    return this.loaded.config;
  }

  /** Follows edits from now on, and those that were made while Envoy started; every refusal ends in the report. */
  watch(): void {
    this.follower.start();
  }

  private async edit(source: PolicySource): Promise<void> {
    const next = await load(source, this.options);
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
    this.report.notice([`${visibleName(basename(this.options.file))} in force: ${change}`, ...news].join('\n'));
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

async function load(source: PolicySource, options: PolicyServerOptions): Promise<Loaded> {
  const valid = await validSource(source);
  const { policy } = valid;
  const compiled = compilePolicy(withLogFields(policy));
  const config = options.amend?.(compiled) ?? compiled;
  const { overrides = new Map(), rateLimitService = null } = options;
  const trust = await readTrust(policy, overrides, folderOf(options.file, source));
  return {
    policy,
    warnings: options.warn === false ? [] : printWarnings(valid),
    notes: notesOf(policy, rateLimitService, overrides),
    config,
    snapshot: snapshotOf(policy, config, overrides, rateLimitService, trust),
  };
}

function whole({ config, snapshot: { upstreams, routes, issuers = [] } }: Loaded): Record<string, unknown> {
  return { ...config, upstreams, routes, 'key sets': issuers };
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
  throw new EnvoyError(`Envoy ended by itself with exit code ${first}:${lastWords}`);
}

/** What is different when the policy is served on this machine, where its author may not expect it. */
export function notesOf(
  policy: Policy,
  rateLimitService: RateLimitServiceAddress | null,
  overrides: Overrides = new Map(),
): string[] {
  return [
    ...observedNote(policy),
    ...upstreamNote(policy),
    ...unverifiedNote(policy, overrides),
    ...rateLimitServiceNote(policy, rateLimitService),
  ];
}

/** Not of this machine, but nobody should take for protected what is only observed. */
function observedNote(policy: Policy): string[] {
  const text = observedText(policy);
  if (text === null) return [];
  return [`observes, and does not enforce: ${text}; what passes only for that has mode=observe in the access log`];
}

function upstreamNote({ upstreams, apis }: Policy): string[] {
  if (Object.keys(upstreams).length > 0 || Object.keys(apis).length === 0) return [];
  return [
    'the policy has no upstreams, so a request that it allows is answered with 404, "no route of the policy leads here"',
  ];
}

function unverifiedNote({ upstreams }: Policy, overrides: Overrides): string[] {
  const names = Object.entries(upstreams)
    .filter(([name, { url, tls }]) => tls?.insecure === true && (overrides.get(name) ?? url)?.startsWith('https:'))
    .map(([name]) => name);
  if (names.length === 0) return [];
  return [`accepts any certificate of upstream ${names.join(', ')} (tls.insecure), so nobody knows who answers`];
}

function rateLimitServiceNote(policy: Policy, rateLimitService: RateLimitServiceAddress | null): string[] {
  const modes = modesOf(policy);
  if (rateLimitService !== null)
    return policy.rateLimitService === undefined
      ? ['the policy has no rateLimitService, so the one of --rate-limit-service is never asked']
      : [];
  if (modes.length === 0) return [];
  return [
    `there is no rate limit service here (--rate-limit-service HOST:PORT names one), so onUnavailable is in force: ${modes.join('; ')}`,
  ];
}

/** `deny for gold/per-hour, petstore/addPet/writes; local share of 500 for gold/monthly` */
function modesOf(policy: Policy): string[] {
  const modes = new Map<string, string[]>();
  const { plans, apis } = compilePolicy(policy);
  const operations = apis.flatMap((api) =>
    (api.operations ?? []).map(({ name, quotas }) => ({ name: `${api.name}/${name}`, quotas })),
  );
  for (const { name, quotas = [] } of [...plans, ...operations]) {
    for (const { name: quota, scope, onUnavailable, localShare } of quotas) {
      if (scope !== 'mesh') continue;
      const mode =
        localShare === undefined ? (onUnavailable ?? 'deny') : `local share of ${localShare.toLocaleString('en-US')}`;
      modes.set(mode, [...(modes.get(mode) ?? []), `${name}/${quota}`]);
    }
  }
  return [...modes].map(([mode, quotas]) => `${mode} for ${quotas.join(', ')}`);
}

/** A plugin config with upstreams and routes beside it, as far as its parts have names. */
type Config = Readonly<Record<string, unknown>>;

/** Changes whenever anything else does. */
const FOLLOWS = 'digest';
const SECTIONS = { apis: 'API', plans: 'plan', consumers: 'consumer', upstreams: 'upstream', routes: 'route' } as const;

/** What differs between two policies in force, in a few words for the log: `plan free changed, consumer beta added`. */
export function describeChange(old: Config, next: Config): string {
  const words: string[] = [];
  for (const [section, noun] of Object.entries(SECTIONS))
    words.push(...sectionChanges(noun, named(old[section]), named(next[section])));
  for (const field of new Set([...Object.keys(old), ...Object.keys(next)])) {
    if (!(field in SECTIONS) && field !== FOLLOWS && JSON.stringify(old[field]) !== JSON.stringify(next[field]))
      words.push(`${field} changed`);
  }
  return words.join(', ') || 'same effect as before';
}

function sectionChanges(noun: string, old: Map<string, string>, next: Map<string, string>): string[] {
  const words: string[] = [];
  for (const [name, text] of next) {
    const before = old.get(name);
    if (before !== text) words.push(`${noun} ${name} ${before === undefined ? 'added' : 'changed'}`);
  }
  for (const name of old.keys()) if (!next.has(name)) words.push(`${noun} ${name} removed`);
  return words.length === 0 && [...old.keys()].join() !== [...next.keys()].join()
    ? [`order of ${noun}s changed`]
    : words;
}

function named(items: unknown): Map<string, string> {
  const list = Array.isArray(items) ? (items as { name: string }[]) : [];
  return new Map(list.map((item) => [item.name, JSON.stringify(item)]));
}
