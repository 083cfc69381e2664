import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answers, Daemon } from './daemon.ts';
import { freePort } from './port.ts';

/** A real registry (distribution) on loopback, over plain HTTP and without authentication. */
export class Registry {
  private constructor(
    private readonly daemon: Daemon,
    readonly host: string,
  ) {}

  /** With `source`, a registry's host, it is a pull-through cache of that one. */
  static async start(command: string, parent: string, name = 'registry', source?: string): Promise<Registry> {
    const folder = join(parent, name);
    await mkdir(join(folder, 'data'), { recursive: true });
    const host = `127.0.0.1:${await freePort()}`;
    const config = {
      version: 0.1,
      log: { level: 'info' },
      http: { addr: host },
      storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
      ...(source !== undefined && { proxy: { remoteurl: `http://${source}` } }),
    };
    await writeFile(join(folder, 'config.yml'), JSON.stringify(config));
    const daemon = new Daemon({ name, command, folder, args: ['serve', join(folder, 'config.yml')] });
    await daemon.isUp(() => answers(`http://${host}/v2/`));
    return new Registry(daemon, host);
  }

  get log(): readonly string[] {
    return this.daemon.log;
  }

  stop(): Promise<void> {
    return this.daemon.stop();
  }
}
