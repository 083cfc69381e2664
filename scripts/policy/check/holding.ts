import type { Cursor } from './cursor.ts';
import { Names } from './report.ts';

/** What a consumer has on an API. */
export interface Holding {
  readonly api: Cursor;
  readonly plan: string;
}

/** Which APIs offer which plans: looked up, because a policy may have thousands of both and of consumers. */
export class Offers {
  readonly #plans = new Map<string, Names>();
  readonly #apis = new Map<string, Cursor[]>();
  readonly #places = new Map<string, { api: Cursor; rank: number }>();

  constructor(root: Cursor) {
    for (const [rank, api] of root.get('apis').entries.entries()) {
      const plans = api.get('plans').texts;
      this.#places.set(api.key, { api, rank });
      for (const plan of plans.length > 1 ? new Set(plans) : plans) this.#add(plan, api);
    }
  }

  #add(plan: string, api: Cursor): void {
    const apis = this.#apis.get(plan);
    if (apis === undefined) this.#apis.set(plan, [api]);
    else apis.push(api);
  }

  /** Plans that an API offers. */
  plansOf(api: string): Names {
    const known = this.#plans.get(api) ?? new Names(this.#places.get(api)?.api.get('plans').texts ?? []);
    this.#plans.set(api, known);
    return known;
  }

  isOffered(plan: string): boolean {
    return this.#apis.has(plan);
  }

  /**
   * What a consumer holds, in the order of the APIs: its subscriptions, and of the APIs that its own plan is short for the
   * first, because it has the same on all of them.
   */
  holdingsOf(consumer: Cursor): Holding[] {
    const subscriptions = consumer.get('subscriptions');
    const held = subscriptions.entries.flatMap((subscription) => {
      const place = subscription.given ? this.#places.get(subscription.key) : undefined;
      const plan = subscription.get('plan').text;
      return place === undefined || plan === undefined ? [] : [{ ...place, plan }];
    });
    const plan = consumer.get('plan').text;
    const own = plan === undefined ? undefined : this.#apis.get(plan)?.find((api) => !subscriptions.get(api.key).given);
    if (own !== undefined) held.push({ ...this.#places.get(own.key)!, plan: plan! });
    return held.sort((a, b) => a.rank - b.rank);
  }
}
