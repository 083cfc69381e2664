import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freeze, install } from './packed.ts';

/** The ids of nobody on every Linux; a test that does not run as root keeps its own. */
const NOBODY = { uid: 65534, gid: 65534 };

export interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Circumstances {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** Another Node than the one that runs the test. */
  readonly node?: string;
  readonly program?: string;
}

/** An unprivileged user who has installed the package and may not write into it. */
export class Stranger {
  readonly user: { uid: number; gid: number } | { uid?: undefined; gid?: undefined } =
    process.getuid?.() === 0 ? NOBODY : {};

  private constructor(
    /** All that is on this stranger's disk. */
    readonly folder: string,
    /** The installed package. */
    readonly installed: string,
    /** The only folders that may be written: where the files are, and the home. */
    readonly desk: string,
    readonly home: string,
  ) {}

  static arrive(tarball: string, installedIn = 'project'): Stranger {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-stranger-'));
    chmodSync(folder, 0o755);
    const place = install(tarball, join(folder, installedIn));
    freeze(join(folder, installedIn));
    const stranger = new Stranger(folder, place, join(folder, 'desk'), join(folder, 'home'));
    for (const own of [stranger.desk, stranger.home]) {
      mkdirSync(own);
      stranger.owns(own);
    }
    return stranger;
  }

  /** What npm links into node_modules/.bin. */
  get program(): string {
    return join(this.installed, '..', '..', '.bin', 'tollgate');
  }

  get environment(): NodeJS.ProcessEnv {
    return { PATH: process.env['PATH'], HOME: this.home, NO_COLOR: '1' };
  }

  start(
    args: readonly string[],
    { env, node = process.execPath, program = this.program }: Circumstances = {},
  ): ChildProcess {
    return spawn(node, [program, ...args], { cwd: this.desk, env: { ...this.environment, ...env }, ...this.user });
  }

  tollgate(args: readonly string[], circumstances: Circumstances = {}): Promise<Said> {
    const child = this.start(args, circumstances);
    let out = '';
    let err = '';
    child.stdout!.on('data', (bytes: Buffer) => (out += bytes.toString()));
    child.stderr!.on('data', (bytes: Buffer) => (err += bytes.toString()));
    child.stdin!.on('error', () => undefined).end(circumstances.input ?? '');
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, out, err }));
    });
  }

  /** A file on the desk, the stranger's own. */
  puts(name: string, content: string | Uint8Array): string {
    const path = join(this.desk, name);
    writeFileSync(path, content);
    this.owns(path);
    return path;
  }

  /** A copy of a program that lies where only the tests may look. */
  takes(program: string, name: string): string {
    const path = join(this.desk, name);
    copyFileSync(program, path);
    chmodSync(path, 0o755);
    this.owns(path);
    return path;
  }

  private owns(path: string): void {
    if (process.getuid?.() === 0) chownSync(path, NOBODY.uid, NOBODY.gid);
  }

  leave(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
