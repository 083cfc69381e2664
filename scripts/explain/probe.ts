import type {
  ApiConfig,
  ConsumerConfig,
  HeaderConditionConfig,
  KeyConfig,
  KeySourceConfig,
  OperationConfig,
  PluginConfig,
  RouteConfig,
  TokenConfig,
} from '../contract/pluginConfig.ts';
import type { WasmModule } from '../host/abi.ts';
import { decisionOf, type Exchange } from '../host/openRequest.ts';
import type { Pair } from '../host/stream.ts';
import { keySourcesOf, sourceWords } from '../policy/compile/keySource.ts';
import { factsOf, type Sender } from './caller.ts';
import { Engine } from './engine.ts';

/** A header that no request has. */
const NO_HEADER = 'probe-without-key';
/** Who may do everything that is not asked about. */
const SOMEBODY = 'spiffe://probe/somebody';
const ANYWHERE: ApiConfig = { name: 'probe', paths: ['/'], plans: ['probe'] };

/**
 * Which part of a decision holds, asked of the module itself: it decides the same request under a policy that has only that part. So
 * nothing is read a second time, in another way.
 */
export class Probe {
  constructor(
    private readonly module: WasmModule,
    private readonly request: readonly Pair[],
    private readonly atMs: number,
    private readonly sender?: Sender,
  ) {}

  /** The key sources in which the request has a key, in the policy's order. */
  keyPlaces(sources: readonly KeySourceConfig[]): string[] {
    return sources.filter((source) => this.hasKeyIn(source)).map(sourceWords);
  }

  /** True when a route would be taken if it had only this condition. `consumer`: whose request it is; null for nobody's. */
  holds(config: PluginConfig, api: string, consumer: string | null, condition: Condition): boolean {
    const named = condition.route.consumers ?? [];
    const small = onlyOf(config, api, consumer, named, { routes: [{ name: 'probe', ...condition.route }] });
    return this.decisionUnder(small)?.route === `${api}/probe`;
  }

  /** True when the caller may do what asks for this scope alone, at the path of its request. */
  hasScope(config: PluginConfig, api: string, consumer: string, { path }: OperationConfig, scope: string): boolean {
    const operations = [{ name: 'probe', path, scopes: [scope] }];
    return this.decisionUnder(onlyOf(config, api, consumer, [], { operations }))?.reason !== 'missing_scope';
  }

  /** True when the request comes with a token that counts as one of this issuer. */
  hasToken(token: TokenConfig): boolean {
    const apis: ApiConfig[] = [{ ...ANYWHERE, plans: [], credentials: ['token'] }];
    const config: PluginConfig = { ...NOTHING, tokens: [token], apis };
    return this.anywhere(config, this.sender).details !== 'tollgate_missing_credential';
  }

  /** True when the request comes from where these addresses and origins let it. */
  isFrom(from: Pick<ConsumerConfig, 'addresses' | 'origins'>, clientAddress: PluginConfig['clientAddress']): boolean {
    const config: PluginConfig = {
      ...NOTHING,
      ...(clientAddress && { clientAddress }),
      workloadProof: 'listener',
      apis: [{ ...ANYWHERE, credentials: ['workload'] }],
      plans: [{ name: 'probe' }],
      consumers: [{ name: 'probe', plan: 'probe', workloads: [SOMEBODY], ...from }],
    };
    return this.anywhere(config, { ...this.sender, caller: factsOf([SOMEBODY]) }).upstream !== null;
  }

  /** Templates of the API's operations that match the request's path, the one that the module takes first; at most so many. */
  templates({ name, hosts, paths, pathData, operations = [] }: ApiConfig, most: number): string[] {
    const api = { name, ...(hosts && { hosts }), paths, ...(pathData && { pathData }), plans: [] };
    const found: string[] = [];
    const left = new Set(operations.map(({ path }) => path));
    while (left.size > 0 && found.length < most) {
      const listed = [...left].map((path, index) => ({ name: `${index}`, path }));
      const apis: ApiConfig[] = [{ ...api, anonymous: 'allow', operations: listed }];
      const taken = this.decisionUnder({ ...NOTHING, apis })?.operation;
      if (taken === undefined) break;
      const { path } = listed[Number(taken)]!;
      found.push(path);
      left.delete(path);
    }
    return found;
  }

  private hasKeyIn(source: KeySourceConfig): boolean {
    const config: PluginConfig = { ...NOTHING, keySources: [source], apis: [{ ...ANYWHERE, plans: [] }] };
    return this.anywhere(config, this.sender).details !== 'tollgate_missing_api_key';
  }

  /** What becomes of the request where its host and path do not matter. */
  private anywhere(config: PluginConfig, sender: Sender | undefined): Exchange {
    const moved = this.request.map(([name, value]): Pair => {
      if (name === ':authority') return [name, 'probe.invalid'];
      return name === ':path' ? [name, value.replace(/^[^?]*/, '/')] : [name, value];
    });
    return new Engine(this.module, config, this.atMs).decide(moved, this.atMs, sender);
  }

  private decisionUnder(config: PluginConfig): ReturnType<typeof decisionOf> {
    return decisionOf(new Engine(this.module, config, this.atMs).decide(this.request, this.atMs, this.sender));
  }
}

/** One condition of a route: in words, and as a route that has no other. */
export interface Condition {
  readonly words: string;
  readonly route: Omit<RouteConfig, 'name'>;
}

export function conditionsOf({ path, methods, plans, consumers, headers = [], query = [] }: RouteConfig): Condition[] {
  return [
    ...(path === undefined ? [] : [{ words: `path is under ${path}`, route: { path } }]),
    ...(methods === undefined ? [] : [{ words: `method is ${oneOf(methods)}`, route: { methods } }]),
    ...(plans === undefined ? [] : [{ words: `plan is ${oneOf(plans)}`, route: { plans } }]),
    ...(consumers === undefined ? [] : [{ words: `consumer is ${oneOf(consumers)}`, route: { consumers } }]),
    ...headers.map((header) => ({ words: testWords('header', header), route: { headers: [header] } })),
    ...query.map((parameter) => ({ words: testWords('query parameter', parameter), route: { query: [parameter] } })),
  ];
}

const NOTHING: PluginConfig = {
  version: 1,
  policy: 'probe',
  keySources: [{ header: NO_HEADER }],
  apis: [],
  plans: [],
  consumers: [],
};

/** As little of a config as knows the consumer and its plan on one API, and what is asked about. */
function onlyOf(
  config: PluginConfig,
  api: string,
  consumer: string | null,
  others: readonly string[],
  asked: Pick<ApiConfig, 'routes' | 'operations'>,
): PluginConfig {
  const one = config.apis.find(({ name }) => name === api)!;
  const { name, hosts, paths, pathData, plans, credentials, anonymousPlan } = one;
  const { version, policy, workloadProof, tokens } = config;
  // nobody's request passes as such, whatever it holds beside a preflight
  const isNobodys = consumer === null;
  const nobodys = anonymousPlan === undefined ? { anonymous: 'allow' as const } : { anonymousPlan };
  const isNeeded = ({ name }: { readonly name: string }): boolean => name === consumer || others.includes(name);
  return {
    version,
    policy,
    keySources: isNobodys ? [{ header: NO_HEADER }] : [...keySourcesOf(config, one)],
    ...(workloadProof && { workloadProof }),
    ...(tokens && { tokens }),
    apis: [
      {
        ...{ name, paths, plans, ...asked },
        ...(hosts && { hosts }),
        ...(pathData && { pathData }),
        ...(isNobodys ? nobodys : credentials && { credentials }),
      },
    ],
    plans: config.plans.map((plan) => ({ name: plan.name })),
    consumers: config.consumers
      .filter(isNeeded)
      .map(({ name, plan, subscriptions, keys, scopes, workloads, tokens }) => ({
        name,
        ...(plan !== undefined && { plan }),
        ...(keys && { keys: keys.map(withoutPlaces) }),
        ...(scopes && { scopes }),
        ...(workloads && { workloads }),
        ...(tokens && { tokens }),
        ...(subscriptions && {
          subscriptions: subscriptions.filter((one) => one.api === api).map((one) => ({ ...one, limits: [] })),
        }),
      })),
  };
}

/** It was used on this API, and others are not there; from where it comes is another question. */
function withoutPlaces(key: KeyConfig): KeyConfig {
  const anywhere = { ...key };
  delete anywhere.apis;
  delete anywhere.addresses;
  return anywhere;
}

function testWords(what: string, condition: HeaderConditionConfig): string {
  const subject = `${what} ${condition.name}`;
  if ('exact' in condition) return `${subject} is "${condition.exact}"`;
  if ('prefix' in condition) return `${subject} begins with "${condition.prefix}"`;
  if ('oneOf' in condition) return `${subject} is ${oneOf(condition.oneOf.map((value) => `"${value}"`))}`;
  return `${subject} is ${'present' in condition ? 'present' : 'absent'}`;
}

function oneOf(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
