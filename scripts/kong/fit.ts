import { judge } from '../policy/check/checkPolicy.ts';
import type { Remark } from '../policy/check/draft.ts';
import { plainCopy } from '../policy/check/plain.ts';
import type { Named } from '../policyFile/partsRecord.ts';
import { KongError } from './error.ts';
import type { KongReading } from './entity.ts';

/** What a policy has beside its consumers. */
export interface Frame {
  readonly keySources: readonly unknown[];
  readonly upstreams: Named;
  readonly plans: Named;
  readonly apis: Named;
}

const MAX_ROUNDS = 50;

/**
 * The APIs without what the rules of a policy refuse, as "tollgate check" would: a route, an operation, cors, or else the API. Each is
 * reported at the place that `pointerOf` knows for its API.
 */
export function fittedApis(
  frame: Frame,
  pointerOf: (api: string) => readonly (string | number)[],
  reading: KongReading,
): Named {
  const apis = new Map(Object.entries(frame.apis));
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const errors = errorsIn({ ...frame, apis: Object.fromEntries(apis) });
    if (errors.length === 0) return Object.fromEntries(apis);
    // one for each API in a round, because indexes of routes move
    const first = new Map<string, Remark>();
    for (const error of errors) {
      const [section, name] = error.path;
      if (section !== 'apis' || typeof name !== 'string')
        throw new KongError(`${reading.file}: cannot be a policy: ${error.path.join('.')}: ${error.rule}`);
      if (!first.has(name)) first.set(name, error);
    }
    for (const [name, error] of first) {
      const left = without(apis.get(name)!, error);
      reading.lose(pointerOf(name), `${left?.what ?? 'the API'} is left out of the policy: ${error.rule}`);
      if (left === null) apis.delete(name);
      else apis.set(name, left.fields);
    }
  }
  throw new KongError(`${reading.file}: has too much in it that a policy cannot have`);
}

function without(
  fields: Readonly<Record<string, unknown>>,
  { path: [, , field, at] }: Remark,
): { fields: Readonly<Record<string, unknown>>; what: string } | null {
  if (field === 'cors') return { fields: omitted(fields, 'cors'), what: 'its cors' };
  if (field === 'routes' && typeof at === 'number') {
    const routes = (fields['routes'] as unknown[]).filter((_, index) => index !== at);
    return {
      fields: routes.length === 0 ? omitted(fields, 'routes') : { ...fields, routes },
      what: 'one of its routes',
    };
  }
  if (field === 'operations' && typeof at === 'string') {
    const operations = omitted(fields['operations'] as Readonly<Record<string, unknown>>, at);
    return Object.keys(operations).length === 0 ? null : { fields: { ...fields, operations }, what: `"${at}"` };
  }
  return null;
}

function omitted(fields: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([field]) => field !== name));
}

function errorsIn({ keySources, ...rest }: Frame): Remark[] {
  const policy = { policy: 'draft', ...(keySources.length > 0 && { keySources }), ...rest };
  return judge(plainCopy(policy).value, 0).remarks.filter(({ severity }) => severity === 'error');
}
