import { judge } from '../policy/check/checkPolicy.ts';
import type { Remark } from '../policy/check/draft.ts';
import { plainCopy } from '../policy/check/plain.ts';
import type { Described } from './describeApi.ts';
import { QUOTAS } from './extension.ts';
import { OpenApiError } from './error.ts';
import { type Losses, quoted } from './loss.ts';
import type { WrittenOperation } from './operation.ts';

/** An API of a policy, as it is written there. */
export interface WrittenApi {
  readonly hosts?: readonly string[];
  readonly paths: readonly string[];
  readonly plans: readonly string[];
  readonly anonymous?: 'allow';
  readonly unlisted: 'deny';
  readonly operations: Readonly<Record<string, WrittenOperation>>;
}

/** An API that fits, with quotas for its plans where they are new. */
export interface Fitted {
  readonly api: WrittenApi;
  readonly quotas: Readonly<Record<string, unknown>> | null;
}

/** Fields without which an operation is open to nobody who could not call it with them. */
const HARMLESS = ['name', 'cost', 'quotas', 'deprecated', 'anonymous'] as const;
const MAX_ROUNDS = 100;

/**
 * The API without what the rules of a policy refuse, as "tollgate check" would: fields that may go without opening anything go, any
 * other takes its operation with it, and each is reported. Rejects with OpenApiError when nothing of the API would be left.
 */
export function fitted(described: Described, plans: readonly string[], losses: Losses): Fitted {
  const operations = new Map(described.operations);
  let { quotas } = described;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const api = written(described, plans, operations);
    const errors = errorsIn(described, api, quotas);
    if (errors.length === 0) return { api, quotas };
    for (const { path, field, rule } of errors) {
      const key = path[3];
      if (path[0] === 'plans' && quotas !== null) {
        losses.add(described.file, [QUOTAS], `is left out: ${rule}`);
        quotas = null;
      }
      if (path[0] === 'plans') continue;
      if (path[0] !== 'apis' || path[2] !== 'operations' || typeof key !== 'string')
        throw new OpenApiError(`${described.file}: cannot be a policy: ${String(path[2] ?? path[0])}: ${rule}`);
      lose(described, operations, { key, field: path[4] ?? field, rule }, losses);
    }
    if (operations.size === 0) throw new OpenApiError(`${described.file}: has no operation that a policy could have`);
  }
  throw new OpenApiError(`${described.file}: has too much in it that a policy cannot have`);
}

function written(
  { hosts, paths, anonymous }: Described,
  plans: readonly string[],
  operations: ReadonlyMap<string, WrittenOperation>,
): WrittenApi {
  return {
    ...(hosts !== null && { hosts }),
    paths,
    plans: [...new Set([...plans, ...[...operations.values()].flatMap((operation) => operation.plans ?? [])])],
    ...(anonymous && { anonymous: 'allow' as const }),
    unlisted: 'deny',
    operations: Object.fromEntries(operations),
  };
}

/** The API alone, among as much of a policy as it needs. */
function errorsIn({ keySources }: Described, api: WrittenApi, quotas: Fitted['quotas']): readonly Remark[] {
  const policy = {
    policy: 'draft',
    ...(keySources.length > 0 && { keySources }),
    plans: Object.fromEntries(api.plans.map((name) => [name, quotas === null ? null : { quotas }])),
    apis: { draft: api },
  };
  return judge(plainCopy(policy).value, 0).remarks.filter(({ severity }) => severity === 'error');
}

/** Plans that operations ask for. */
export function namedPlans({ operations }: WrittenApi): string[] {
  return [...new Set(Object.values(operations).flatMap(({ plans = [] }) => plans))];
}

interface Fault {
  readonly key: string;
  readonly field: string | number | undefined;
  readonly rule: string;
}

function lose(
  described: Described,
  operations: Map<string, WrittenOperation>,
  { key, field, rule }: Fault,
  losses: Losses,
): void {
  const operation = operations.get(key);
  if (operation === undefined) return;
  const spot = described.spots.get(key)!;
  if (HARMLESS.some((name) => name === field)) {
    // it may break two rules
    if (!Object.hasOwn(operation, field!)) return;
    operations.set(key, Object.fromEntries(Object.entries(operation).filter(([name]) => name !== field)));
    losses.add(spot.source.name, spot.pointer, `"${String(field)}" is left out: ${rule}`);
    return;
  }
  operations.delete(key);
  losses.add(spot.source.name, spot.pointer, `is left out: ${quoted(key)} ${rule}`);
}
