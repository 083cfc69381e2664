import { hold } from './form.ts';
import type { Target } from './target.ts';

const MIB = 2 ** 20;
/** The first rounds make tables and pools as large as they get; after them memory is level. */
const ROUNDS_TO_SETTLE = 3;

/** How much memory an Envoy takes, round by round. */
export class Footprint {
  private readonly seen: number[] = [];

  constructor(
    private readonly target: Target,
    private readonly slackMib = 48,
  ) {}

  /** Throws a Fault when it grows on and on. */
  async isBounded(): Promise<void> {
    const bytes = await this.target.residentBytes();
    if (bytes === null) return;
    this.seen.push(bytes);
    const settled = this.seen[ROUNDS_TO_SETTLE - 1];
    if (settled === undefined) return;
    hold(
      bytes <= settled + this.slackMib * MIB,
      `Envoy's memory grew round by round, MiB: ${this.seen.map((size) => Math.round(size / MIB)).join(' ')}`,
    );
  }
}
