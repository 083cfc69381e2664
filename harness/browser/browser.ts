import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const OPTIONS = [
  '--headless=new',
  // as root, and in containers, Chromium has no sandbox to use
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-proxy-server',
];

/** One browser with a profile of its own that shows one page. */
export class Browser {
  private constructor(
    private readonly child: ChildProcess,
    private readonly profile: string,
  ) {}

  static async open(command: string, url: string): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), 'tollgate-browser-'));
    // a group of its own, because a browser is many processes
    const child = spawn(command, [...OPTIONS, `--user-data-dir=${profile}`, url], { stdio: 'ignore', detached: true });
    child.on('error', () => {});
    return new Browser(child, profile);
  }

  async close(): Promise<void> {
    const { child } = this;
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = new Promise((resolve) => child.on('exit', resolve));
      process.kill(-child.pid, 'SIGKILL');
      await exited;
    }
    await rm(this.profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
