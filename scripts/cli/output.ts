/**
 * Standard output of the process. A reader that went away (`tollgate check … | head -1`) does not change what a command
 * does or answers; anything else that keeps us from writing is said once, and makes the exit code 1.
 */
export class Output {
  private error: NodeJS.ErrnoException | null = null;

  /** `onClosed` hears that nothing can be written any more, and why; null when the reader went away. */
  constructor(
    private readonly stream: NodeJS.WritableStream,
    private readonly onClosed: (rule: string | null) => void,
  ) {
    stream.on('error', (error: NodeJS.ErrnoException) => this.close(error));
  }

  write(text: string): void {
    if (this.error === null) this.stream.write(text);
  }

  /** Resolves once the system has taken the text; rejects when it does not. */
  deliver(text: string): Promise<void> {
    if (this.error !== null) return Promise.reject(this.error);
    return new Promise((resolve, reject) => {
      this.stream.write(text, (error) => {
        if (!error) return resolve();
        this.close(error);
        reject(error);
      });
    });
  }

  /** The exit code of a command that ended with `code`. */
  exitCode(code: number): number {
    return code === 0 && this.hasLost ? 1 : code;
  }

  private get hasLost(): boolean {
    return this.error !== null && this.error.code !== 'EPIPE';
  }

  private close(error: NodeJS.ErrnoException): void {
    if (this.error !== null) return;
    this.error = error;
    this.onClosed(this.hasLost ? `cannot write to standard output: ${error.code ?? error.message}` : null);
    // For words that were still on their way when the command had ended.
    if (this.hasLost) process.exitCode ||= 1;
  }
}
