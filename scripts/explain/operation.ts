import type {
  ApiConfig,
  KeyConfig,
  OperationConfig,
  PluginConfig,
  SettlementConfig,
} from '../contract/pluginConfig.ts';
import { meName, operationName } from '../policy/schema/operation.ts';
import type { Api } from '../policy/schema/policy.ts';
import type { Probe } from './probe.ts';

/** Which operation a request is, and why it is no other. */
export interface OperationStory {
  /** As logs and metrics call it. Null: none that the API lists. */
  readonly name: string | null;
  /** As the policy writes it: `GET /pets/{id}`. */
  readonly pattern: string | null;
  /** What becomes of requests that are none. */
  readonly unlisted: 'allow' | 'deny';
  /** Of a request that is none: what the API lists at its path, by other methods. */
  readonly atPath: readonly string[];
  /** Operations that would be the request too, if what is at its path did not go before them. */
  readonly passedOver: readonly string[];
  /** One of these plans is needed; empty: any that the API offers. */
  readonly plans: readonly string[];
  /** All of these are needed. */
  readonly scopes: readonly string[];
  /** Those of them that the consumer does not have, or its key; null where no consumer is known. */
  readonly missingScopes: readonly string[] | null;
  /** Units that the request takes from each quota, until it is answered where that settles them. */
  readonly cost: number;
  /** How its answer settles that; null: not at all. */
  readonly settlement: SettlementConfig | null;
}

/** The decision as far as an operation depends on it. */
interface Decided {
  readonly reason: string;
  readonly operation: string | null;
  readonly consumer: string | null;
  /** What the key in use is limited to; null: it is not known. */
  readonly key: Pick<KeyConfig, 'scopes'> | null;
  /** The caller's token says which scopes it has. */
  readonly isByToken: boolean;
  readonly method: string;
}

/** Less specific templates that are looked for. */
const MOST_PASSED_OVER = 3;

/** `api`: as the policy has it, where templates have names for their variables. */
export function operationStory(
  config: PluginConfig,
  compiled: ApiConfig,
  api: Api,
  { reason, operation, consumer, key, isByToken, method }: Decided,
  probe: Probe,
): OperationStory {
  const listed = listedOf(compiled);
  const patterns = new Map(
    Object.entries(api.operations ?? {}).map(([key, { name }]) => [operationName(key, name), key]),
  );
  const patternOf = ({ name, path }: OperationConfig): string =>
    patterns.get(name) ?? (name === meName(path) ? `GET ${path}` : name);
  const own = listed.find(({ name }) => name === operation);
  // a path that servers read in different ways is no operation's
  const [first, ...others] =
    reason === 'invalid_path' ? [] : probe.templates({ ...compiled, operations: listed }, 1 + MOST_PASSED_OVER);
  const takes = ({ methods }: OperationConfig): boolean =>
    methods === undefined || methods.includes(method) || (method === 'HEAD' && methods.includes('GET'));
  const scopes = own?.scopes ?? [];
  const held = new Set(config.consumers.find(({ name }) => name === consumer)?.scopes);
  const isMissing = (scope: string): boolean =>
    isByToken
      ? !probe.hasScope(config, compiled.name, consumer!, own!, scope)
      : !held.has(scope) || key?.scopes?.includes(scope) === false;
  return {
    name: operation,
    pattern: own === undefined ? null : patternOf(own),
    unlisted: compiled.operations === undefined ? 'allow' : (compiled.unlisted ?? 'deny'),
    atPath:
      own === undefined
        ? listed
            .filter(({ path }) => path === first)
            .map(patternOf)
            .sort()
        : [],
    passedOver: listed.filter((one) => others.includes(one.path) && takes(one)).map(patternOf),
    plans: own?.plans ?? [],
    scopes,
    missingScopes: consumer === null ? null : scopes.filter(isMissing),
    cost: (own ?? compiled).cost ?? 1,
    settlement: (own ?? compiled).settlement ?? null,
  };
}

/** What the API lists, and the operation that the module itself answers. */
function listedOf({ operations = [], me }: ApiConfig): OperationConfig[] {
  const own = { methods: ['GET', 'HEAD'], cost: 0 };
  return me === undefined ? operations : [...operations, { name: meName(me.path), path: me.path, ...own }];
}
