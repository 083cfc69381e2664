import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One bash in a folder of its own, so that what a page sets in one block is there in the next. A command that fails ends it. */
export class Shell {
  private readonly child: ChildProcess;
  private readonly mark = randomUUID();
  /** What was printed since the last command began. */
  output = '';
  private wake: () => void = () => undefined;
  private hasEnded = false;
  private steps = 0;

  constructor(
    private readonly folder: string,
    env: NodeJS.ProcessEnv,
  ) {
    this.child = spawn('bash', ['--norc', '-euo', 'pipefail'], { cwd: folder, env, detached: true });
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        this.wake();
      });
    const end = (): void => {
      this.hasEnded = true;
      this.wake();
    };
    this.child.on('close', end).on('error', end);
    this.child.stdin!.on('error', () => undefined);
  }

  /** What the command prints, on standard output and error; throws with it when the command fails or takes too long. */
  async run(command: string, timeoutMs = 60_000): Promise<string> {
    const file = join(this.folder, `.step-${++this.steps}.sh`);
    await writeFile(file, `${command}\n`);
    this.output = '';
    this.child.stdin!.write(`. ${file}\nprintf '%s' ${this.mark}\n`);
    const deadline = setTimeout(() => this.end(), timeoutMs);
    try {
      for (;;) {
        const printed = this.output.split(this.mark);
        if (printed.length > 1) return printed[0]!;
        if (this.hasEnded) throw new Error(`failed, or took more than ${timeoutMs} ms:\n${command}\n${this.output}`);
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Ends it and everything that it started. */
  end(): void {
    try {
      if (this.child.pid !== undefined && !this.hasEnded) process.kill(-this.child.pid, 'SIGKILL');
    } catch {
      // the whole group is gone
    }
  }
}
