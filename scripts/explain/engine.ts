import type { LogField, PluginConfig } from '../contract/pluginConfig.ts';
import type { WasmModule } from '../host/abi.ts';
import { Host } from '../host/host.ts';
import type { Exchange } from '../host/openRequest.ts';
import type { Pair } from '../host/stream.ts';
import type { Sender } from './caller.ts';
import { ExplainError } from './error.ts';

/** The year 2200: nanoseconds since 1970 fit into 64 bits until 2262. */
export const MAX_TIME_MS = Date.UTC(2200, 0);

/** Time that really passes before a request, with the module's ticks in it; what is longer is skipped. */
const TICKED_MS = 300;
/** A context lives on for a moment after its stream. Of requests at one moment, this many at most are kept. */
const MOST_AT_ONCE = 256;
const MOMENT_MS = 10;

/**
 * The shipped module with one policy in force, in one worker, at any time: what decides here is what decides in Envoy. Counters
 * begin at zero and live as long as the engine.
 */
export class Engine {
  private readonly host: Host;
  private atOnce = 0;

  constructor(module: WasmModule, config: PluginConfig, startMs: number) {
    this.host = new Host(module, { workers: 1, mainThread: false, startMs });
    if (this.host.load(JSON.stringify(config)) === null)
      throw new ExplainError(`the module refuses the policy: ${this.host.logs().at(-1) ?? 'no reason given'}`);
  }

  /** What becomes of a request, given as a filter gets it, when the clock reads `atMs`. */
  decide(request: readonly Pair[], atMs: number, sender?: Sender): Exchange {
    this.reach(atMs);
    const exchange = this.host.request(request, sender);
    if (this.host.faults.length > 0) throw new ExplainError(`the module failed: ${this.host.faults.join('; ')}`);
    return exchange;
  }

  private reach(atMs: number): void {
    const { clock } = this.host.process;
    const ahead = atMs - clock.wallMs;
    if (ahead > 0) {
      this.atOnce = 0;
      if (ahead > TICKED_MS) clock.jump(atMs - TICKED_MS);
      this.host.pass(Math.min(ahead, TICKED_MS));
    } else if (ahead < 0 || ++this.atOnce >= MOST_AT_ONCE) {
      this.atOnce = 0;
      clock.jump(atMs - MOMENT_MS);
      this.host.pass(MOMENT_MS);
    }
  }
}

/**
 * The same policy as one process counts it: mesh-wide quotas are counted here, as if this Envoy were the whole mesh. The module leaves
 * the fields that are asked for.
 */
export function countedHere(config: PluginConfig, fields: readonly LogField[]): PluginConfig {
  const counted = withoutMesh(config) as PluginConfig;
  delete counted.rateLimitService;
  delete counted.accessLog;
  // of the config as it was
  delete counted.digest;
  return fields.length === 0 ? counted : { ...counted, accessLog: { fields: [...fields] } };
}

/** Quotas may stand anywhere in a config. */
function withoutMesh(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMesh);
  if (typeof value !== 'object' || value === null) return value;
  const isMeshWide = 'scope' in value && value.scope === 'mesh';
  const members = Object.entries(value).filter(([name]) => !(isMeshWide && MESH_FIELDS.has(name)));
  return Object.fromEntries(members.map(([name, member]) => [name, withoutMesh(member)]));
}

/** The same config with everything enforced; null when it enforces everything already. */
export function enforced(config: PluginConfig): PluginConfig | null {
  const text = JSON.stringify(config);
  const strict = JSON.stringify(config, (name, member: unknown) => (name === 'mode' ? undefined : member));
  return strict === text ? null : (JSON.parse(strict) as PluginConfig);
}

/** Names of the mesh-wide quotas of a config, each once. */
export function meshQuotasOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const own = 'scope' in value && value.scope === 'mesh' && 'name' in value ? [String(value.name)] : [];
  return [...new Set([...own, ...Object.values(value).flatMap(meshQuotasOf)])];
}

const MESH_FIELDS = new Set(['scope', 'onUnavailable', 'localShare']);
