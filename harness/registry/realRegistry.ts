import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { component } from './component.ts';

/** The program; tests that need it are skipped without it. */
export const REGISTRY_PROGRAM = 'docker-registry';

/** A real registry (distribution) on a free port of loopback, with its own data folder. */
export class RealRegistry {
  private child: ChildProcess | null = null;
  private output = '';

  private constructor(
    private readonly folder: string,
    private readonly port: number,
    auth: object,
  ) {
    const config = {
      version: '0.1',
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
      http: { addr: `127.0.0.1:${port}` },
      auth,
    };
    writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
  }

  /** `auth` is the section of its configuration: htpasswd or token. */
  static async start(auth: object = {}): Promise<RealRegistry> {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-registry-'));
    mkdirSync(join(folder, 'data'));
    const registry = new RealRegistry(folder, await freePort(), auth);
    await registry.start();
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const child = spawn(component(REGISTRY_PROGRAM), ['serve', join(this.folder, 'config.yml')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (bytes: Buffer) => (this.output += bytes.toString()));
    this.child = child;
    for (const deadline = Date.now() + 15_000; Date.now() < deadline && child.exitCode === null;) {
      if (
        await fetch(`http://${this.host}/v2/`).then(
          (response) => response.body?.cancel().then(() => true),
          () => false,
        )
      )
        return;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    throw new Error(`the registry did not start:\n${this.output}`);
  }

  /** Kills the process, as a crash would; its data stays. */
  async stop(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child === null || child.exitCode !== null) return;
    await new Promise((resolve) => {
      child.once('close', resolve);
      child.kill('SIGKILL');
    });
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
