/** What takes longer is announced. */
const LATE_MS = 2000;

/** Says what is going on, once it has been going on for two seconds: a quick push stays quiet. */
export class Progress {
  private latest: string | null = null;
  private late = false;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly print: (line: string) => void) {
    this.timer = setTimeout(() => this.wake(), LATE_MS);
    this.timer.unref();
  }

  say = (text: string): void => {
    this.latest = text;
    if (this.late) this.flush();
  };

  stop(): void {
    clearTimeout(this.timer);
  }

  private wake(): void {
    this.late = true;
    this.flush();
  }

  private flush(): void {
    if (this.latest !== null) this.print(this.latest);
    this.latest = null;
  }
}
