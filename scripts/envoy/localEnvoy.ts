import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvoyError, PortTaken } from './error.ts';
import { parseEntry, type AccessEntry } from './accessLog.ts';
import { Admin, Discovery, type ResourceKind } from './discovery.ts';
import { bootstrap, type BootstrapOptions } from './bootstrap.ts';
import type { FoundEnvoy } from './find.ts';
import { EnvoyProcess, type Container } from './process.ts';
import { type Snapshot, union } from './snapshot.ts';

export interface LocalEnvoyOptions extends Omit<BootstrapOptions, 'folder'> {
  envoy: FoundEnvoy;
  /** The wasm module to load. */
  module: string;
  concurrency: number;
  accessLogFlushMs?: number;
  onAccess?(entry: AccessEntry): void;
  onLog?(line: string): void;
  timeoutMs?: number;
}

const POLL_MS = 10;
/** How long an Envoy that fails to start may take to end after its first failed answer. */
const GRACE_MS = 200;
const TIMEOUT_MS = 20_000;

/** A filter is there from the start, or never: to add one would end all connections. */
const NO_FILTER =
  'no API took tokens when this Envoy was started, so nothing in it verifies them; stop it and start it again';

/** A running Envoy with the module inside, serving one snapshot at a time. */
export class LocalEnvoy {
  private constructor(
    private readonly process: EnvoyProcess,
    private readonly discovery: Discovery,
    private readonly folder: string,
    private readonly log: string[],
    private current: Snapshot,
    private readonly verifiesTokens: boolean,
    readonly admin: Admin,
    readonly port: number,
  ) {}

  /** Starts Envoy and resolves when it serves the snapshot; rejects with an EnvoyError with Envoy's own words when it does not. */
  static async start(snapshot: Snapshot, options: LocalEnvoyOptions): Promise<LocalEnvoy> {
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-'));
    const module = join(folder, 'tollgate.wasm');
    const log: string[] = [];
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    await copyFile(options.module, module);
    const container = (await options.envoy.container?.(folder, options)) ?? null;
    const discovery = new Discovery(folder, module, timeoutMs, container);
    const versions = new Map<ResourceKind, string | null>();
    const verifiesTokens = options.verifiesTokens ?? snapshot.issuers !== undefined;
    for (const kind of ['clusters', 'routes', ...(verifiesTokens ? (['tokens'] as const) : []), 'extension'] as const)
      versions.set(kind, await discovery.write(kind, snapshot));
    await writeFile(
      join(folder, 'bootstrap.json'),
      JSON.stringify(bootstrap({ ...options, verifiesTokens, ...container?.inside, folder })),
    );
    const child = new EnvoyProcess({
      ...options,
      container,
      folder,
      onAccess: (line) => takeAccess(line, options),
      onLog: (line) => takeLog(line, log, options),
    });
    try {
      const admin = await connect(child, Date.now() + timeoutMs);
      for (const [kind, version] of versions) {
        if (version !== null && !(await discovery.taken(kind, version, 0, admin))) throw refused(await settled(log, 0));
      }
      return new LocalEnvoy(
        child,
        discovery,
        folder,
        log,
        snapshot,
        verifiesTokens,
        admin,
        await servingPort(admin, container, Date.now() + timeoutMs),
      );
    } catch (error) {
      const ended = await Promise.race([child.ended.then(() => true), pause(GRACE_MS).then(() => false)]);
      await child.stop();
      await rm(folder, { recursive: true, force: true });
      // whatever failed first, the log of an Envoy that has ended says best why
      if (ended) throw notStarted(log, options);
      throw error instanceof EnvoyError ? error : new EnvoyError(`Envoy did not start: ${(error as Error).message}`);
    }
  }

  /**
   * Puts another snapshot in force without a failed request: what the new one needs is there before anything refers to
   * it, and what only the old one needs goes when nothing refers to it any more. Refused: the old one keeps serving.
   */
  async apply(next: Snapshot): Promise<void> {
    const old = this.current;
    if (next.issuers !== undefined && !this.verifiesTokens) throw new EnvoyError(NO_FILTER);
    try {
      await this.put('clusters', union(old, next));
      await this.put('routes', union(old, next));
      if (this.verifiesTokens) await this.put('tokens', union(old, next));
      await this.put('extension', next);
    } catch (error) {
      const kinds = ['extension', ...(this.verifiesTokens ? (['tokens'] as const) : []), 'routes', 'clusters'] as const;
      for (const kind of kinds) await this.discovery.write(kind, old);
      throw error;
    }
    this.current = next;
    if (this.verifiesTokens) await this.put('tokens', next);
    await this.put('routes', next);
    await this.put('clusters', next);
  }

  private async put(kind: ResourceKind, snapshot: Snapshot): Promise<void> {
    const logged = this.log.length;
    const refusals = await this.discovery.refusals(kind, this.admin);
    const version = await this.discovery.write(kind, snapshot);
    if (version === null) return;
    if (!(await this.discovery.taken(kind, version, refusals, this.admin)))
      throw refused(await settled(this.log, logged));
  }

  /** Resolves with Envoy's exit code when it has ended, by `stop` or by itself. */
  get ended(): Promise<number | null> {
    return this.process.ended;
  }

  /** Its process, as long as there is one. */
  get pid(): number | undefined {
    return this.process.pid;
  }

  /** Everything Envoy wrote to its own log. */
  get logged(): readonly string[] {
    return this.log;
  }

  async stop(): Promise<void> {
    await this.process.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function takeAccess(line: string, options: LocalEnvoyOptions): void {
  const entry = parseEntry(line);
  if (entry) options.onAccess?.(entry);
}

function takeLog(line: string, log: string[], options: LocalEnvoyOptions): void {
  log.push(line);
  options.onLog?.(line);
}

/** The admin interface of an Envoy that is starting; throws when Envoy ends instead. */
async function connect(child: EnvoyProcess, deadline: number): Promise<Admin> {
  let ended = false;
  void child.ended.then(() => (ended = true));
  for (;;) {
    const port = await child.adminPort();
    if (port !== null) return new Admin(port);
    if (ended) throw new EnvoyError('Envoy has ended');
    if (Date.now() > deadline) throw new EnvoyError('Envoy did not start in time');
    await pause(POLL_MS);
  }
}

async function servingPort(admin: Admin, container: Container | null, deadline: number): Promise<number> {
  for (;;) {
    const port = (await admin.isReady()) ? (container?.published?.port ?? (await admin.listenerPort())) : null;
    if (port !== null && port !== 0) return port;
    if (Date.now() > deadline) throw new EnvoyError('Envoy did not become ready in time');
    await pause(POLL_MS);
  }
}

/** Envoy counts a refusal a moment before its log has come through the pipe. */
async function settled(log: readonly string[], from: number): Promise<string[]> {
  await pause(100);
  return log.slice(from);
}

function notStarted(log: string[], options: LocalEnvoyOptions): EnvoyError {
  const inUse = log.filter((line) => /address already in use/i.test(line));
  const taken = [options.port, options.adminPort].find(
    (port) => port !== 0 && inUse.some((line) => line.includes(`:${port}`)),
  );
  return taken === undefined ? new EnvoyError(`Envoy did not start:\n${reasons(log)}`) : new PortTaken(taken);
}

function refused(log: string[]): EnvoyError {
  return new EnvoyError(`Envoy refused the configuration:\n${reasons(log)}`);
}

/** What the module says for itself if it says anything, otherwise what Envoy says. */
function reasons(log: readonly string[]): string {
  const own = log.map((line) => /^\S+ wasm wasm log [^:]*: (.*)$/.exec(line)?.[1]).filter((text) => text !== undefined);
  const texts = own.length > 0 ? own : log.filter((line) => /^(warning|error|critical) /.test(line));
  return [...new Set(texts)].map((text) => `  ${text}`).join('\n') || '  (no reason in its log)';
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
