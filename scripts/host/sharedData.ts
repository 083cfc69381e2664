import { Result } from './abi.ts';

interface Entry {
  value: Buffer;
  cas: number;
}

/** Called between a guest's get and its set: a test writes here to force a lost race. */
export type BeforeSet = (key: string, sharedData: SharedData) => void;

/** The process-wide store all VMs share. No delete, no expiry: it outlives configurations and VMs. */
export class SharedData {
  /** Runs before each set of a guest, outside of any set the hook itself makes. */
  beforeSet: BeforeSet | undefined;
  private readonly entries = new Map<string, Entry>();
  private nextCas = 1;
  private inHook = false;

  get(key: string): Entry | undefined {
    return this.entries.get(key);
  }

  /** A cas of 0 sets without a look; on a key that does not exist yet the cas is ignored, so two creators both win. */
  set(key: string, value: Buffer, cas: number): number {
    this.runHook(key);
    const entry = this.entries.get(key);
    if (entry !== undefined && cas !== 0 && cas !== entry.cas) return Result.casMismatch;
    this.entries.set(key, { value: Buffer.from(value), cas: this.nextCas });
    this.nextCas = (this.nextCas + 1) >>> 0 || 1;
    return Result.ok;
  }

  keys(): string[] {
    return [...this.entries.keys()];
  }

  private runHook(key: string): void {
    if (this.beforeSet === undefined || this.inHook) return;
    this.inHook = true;
    try {
      this.beforeSet(key, this);
    } finally {
      this.inHook = false;
    }
  }
}
