import { Unseen } from '../cluster/error.ts';
import { type KubeObject, nameOf, oneLine } from '../cluster/object.ts';

/** What is looked at, in this order. */
export const AREAS = ['resources', 'targets', 'routing', 'image', 'proxies', 'traffic'] as const;
export type Area = (typeof AREAS)[number];

export interface Observation {
  readonly area: Area;
  /** problem: not as it has to be. unseen: could not be looked at. notice: good to know, and nothing is wrong. */
  readonly kind: 'problem' | 'unseen' | 'notice';
  /** `KIND NAMESPACE/NAME`, mostly. */
  readonly object: string;
  readonly text: string;
}

/** The findings of one policy: what looks at the cluster writes into it. */
export class Observations {
  readonly all: Observation[] = [];

  constructor(private readonly skipped: readonly Area[] = []) {}

  problem(area: Area, object: KubeObject | string, text: string): void {
    this.add(area, 'problem', object, text);
  }

  notice(area: Area, object: KubeObject | string, text: string): void {
    this.add(area, 'notice', object, text);
  }

  unseen(area: Area, object: KubeObject | string, text: string): void {
    this.add(area, 'unseen', object, text);
  }

  isAsked(area: Area): boolean {
    return !this.skipped.includes(area);
  }

  /** What `look` resolves to; where it cannot look, that is noted and the answer is null. */
  async look<T>(area: Area, object: KubeObject | string, look: () => Promise<T>): Promise<T | null> {
    try {
      return await look();
    } catch (error) {
      if (!(error instanceof Unseen)) throw error;
      this.unseen(area, object, error.message);
      return null;
    }
  }

  private add(area: Area, kind: Observation['kind'], object: KubeObject | string, text: string): void {
    // an object's fields, which messages repeat, are whatever somebody wrote into them
    const [what, words] = [oneLine(typeof object === 'string' ? object : nameOf(object)), oneLine(text)];
    // several plugins of a policy may need the same thing
    if (!this.all.some((one) => one.area === area && one.object === what && one.text === words))
      this.all.push({ area, kind, object: what, text: words });
  }
}
