import { findComponent } from '../harness/components/find.ts';
import { Refusal } from '../scripts/cli/command.ts';
import type { Service, Variant } from './variant.ts';

/** What a service needs to run. */
const PROGRAMS = { ratelimit: ['ratelimit', 'redis-server'], extauthz: ['extauthz'] } as const satisfies Record<
  Service,
  readonly string[]
>;
const BUILD = 'node --import tsx harness/components/build.ts';

export interface Found {
  readonly wrk: string;
  readonly fortio: string;
  /** Programs of the services that can run here. */
  readonly programs: ReadonlyMap<'ratelimit' | 'redis-server' | 'extauthz', string>;
  readonly variants: readonly Variant[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** Finds what the variants need. Throws without the load generators; a variant without its service is skipped. */
export async function findComponents(variants: readonly Variant[]): Promise<Found> {
  const [wrk, fortio] = await Promise.all([findComponent('wrk'), findComponent('fortio')]);
  if (wrk === null || fortio === null)
    throw new Refusal(
      `not here: ${[wrk ?? 'wrk', fortio ?? 'fortio'].filter((name) => !name.includes('/')).join(', ')}; ${BUILD} wrk fortio gets them`,
    );
  const programs = new Map<'ratelimit' | 'redis-server' | 'extauthz', string>();
  const missing: string[] = [];
  for (const name of new Set(variants.flatMap(({ services }) => services.flatMap((service) => PROGRAMS[service])))) {
    const path = await findComponent(name);
    if (path === null) missing.push(name);
    else programs.set(name, path);
  }
  const lacks = ({ services }: Variant): string[] =>
    services.flatMap((service) => PROGRAMS[service].filter((name) => missing.includes(name)));
  return {
    wrk,
    fortio,
    programs,
    variants: variants.filter((variant) => lacks(variant).length === 0),
    skipped: variants
      .filter((variant) => lacks(variant).length > 0)
      .map((variant) => ({
        name: variant.name,
        reason: `not here: ${lacks(variant).join(', ')}; ${BUILD} ${lacks(variant).join(' ')}`,
      })),
  };
}
