import { execFile } from 'node:child_process';
import { openSync, writeFileSync, writeSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { FoundEnvoy } from '../../scripts/envoy/find.ts';
import { inPackage } from '../../scripts/file/packageRoot.ts';

const SOURCE = inPackage('harness', 'envoy', 'clock.c');
const run = promisify(execFile);

/** A wall clock that the test sets, preloaded into an Envoy. Only on Linux, and only with a C compiler. */
export class SettableClock {
  private constructor(
    private readonly folder: string,
    private readonly file: number,
  ) {}

  /** The clock, or null where it cannot be built. */
  static async make(): Promise<SettableClock | null> {
    if (process.platform !== 'linux') return null;
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-clock-'));
    try {
      await run('cc', ['-shared', '-fPIC', '-O1', '-o', join(folder, 'clock.so'), SOURCE]);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      // Without it a fifth of the cases would be skipped, and in CI nobody would notice.
      if (process.env['CI'] === 'true') throw error;
      return null;
    }
    await writeFile(join(folder, 'now'), Buffer.alloc(8));
    return new SettableClock(folder, openSync(join(folder, 'now'), 'r+'));
  }

  /** The same Envoy, run with this clock. */
  wind(envoy: FoundEnvoy): FoundEnvoy {
    const { folder } = this;
    return {
      ...envoy,
      command: 'env',
      prefix: (own) => [
        `TEST_CLOCK_FILE=${join(folder, 'now')}`,
        `LD_PRELOAD=${join(folder, 'clock.so')}`,
        envoy.command,
        ...envoy.prefix(own),
      ],
    };
  }

  /** The same as a program that a shell can find. */
  write(envoy: FoundEnvoy, path: string): void {
    const wound = this.wind(envoy);
    writeFileSync(path, `#!/bin/sh\nexec ${wound.command} ${wound.prefix('').join(' ')} "$@"\n`, { mode: 0o755 });
  }

  /** Stops the clock at `ms` since the epoch; null returns it to real time. */
  set(ms: number | null): void {
    const now = Buffer.alloc(8);
    now.writeBigInt64LE(ms === null ? 0n : BigInt(Math.round(ms * 1000)) * 1000n);
    writeSync(this.file, now, 0, 8, 0);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
