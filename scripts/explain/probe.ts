import type {
  ApiConfig,
  HeaderConditionConfig,
  KeyConfig,
  KeySourceConfig,
  PluginConfig,
  RouteConfig,
} from '../contract/pluginConfig.ts';
import type { WasmModule } from '../host/abi.ts';
import { decisionOf } from '../host/openRequest.ts';
import type { Pair } from '../host/stream.ts';
import { keySourcesOf, sourceWords } from '../policy/compile/keySource.ts';
import { Engine } from './engine.ts';

/** A header that no request has. */
const NO_HEADER = 'probe-without-key';

/**
 * Which part of a decision holds, asked of the module itself: it decides the same request under a policy that has only that part. So
 * nothing is read a second time, in another way.
 */
export class Probe {
  constructor(
    private readonly module: WasmModule,
    private readonly request: readonly Pair[],
    private readonly atMs: number,
  ) {}

  /** The key sources in which the request has a key, in the policy's order. */
  keyPlaces(sources: readonly KeySourceConfig[]): string[] {
    return sources.filter((source) => this.hasKeyIn(source)).map(sourceWords);
  }

  /** True when a route would be taken if it had only this condition. `consumer`: whose request it is; null for nobody's. */
  holds(config: PluginConfig, api: string, consumer: string | null, condition: Condition): boolean {
    const one = config.apis.find(({ name }) => name === api)!;
    const { name, hosts, paths, plans } = one;
    const { consumers, version, policy } = config;
    // nobody's request passes as such, whatever key it holds beside a preflight
    const isNobodys = consumer === null;
    const keySources = isNobodys ? [{ header: NO_HEADER }] : [...keySourcesOf(config, one)];
    const only = { name, paths, plans, ...(hosts && { hosts }), ...(isNobodys && { anonymous: 'allow' as const }) };
    const named = condition.route.consumers ?? [];
    const isNeeded = ({ name }: { readonly name: string }): boolean => name === consumer || named.includes(name);
    const small: PluginConfig = {
      version,
      policy,
      keySources,
      apis: [{ ...only, routes: [{ name: 'probe', ...condition.route }] }],
      plans: config.plans.map((plan) => ({ name: plan.name })),
      consumers: consumers.filter(isNeeded).map(({ name, plan, subscriptions, keys }) => ({
        name,
        ...(plan !== undefined && { plan }),
        ...(keys && { keys: keys.map(withoutApis) }),
        ...(subscriptions && {
          subscriptions: subscriptions.filter((one) => one.api === api).map((one) => ({ ...one, limits: [] })),
        }),
      })),
    };
    return this.decisionUnder(small)?.route === `${api}/probe`;
  }

  /** Templates of the API's operations that match the request's path, the one that the module takes first; at most so many. */
  templates({ name, hosts, paths, operations = [] }: ApiConfig, most: number): string[] {
    const found: string[] = [];
    const left = new Set(operations.map(({ path }) => path));
    while (left.size > 0 && found.length < most) {
      const listed = [...left].map((path, index) => ({ name: `${index}`, path }));
      const taken = this.decisionUnder({
        version: 1,
        policy: 'probe',
        keySources: [{ header: NO_HEADER }],
        apis: [{ name, ...(hosts && { hosts }), paths, plans: [], anonymous: 'allow', operations: listed }],
        plans: [],
        consumers: [],
      })?.operation;
      if (taken === undefined) break;
      const { path } = listed[Number(taken)]!;
      found.push(path);
      left.delete(path);
    }
    return found;
  }

  private hasKeyIn(source: KeySourceConfig): boolean {
    const config: PluginConfig = {
      version: 1,
      policy: 'probe',
      keySources: [source],
      apis: [{ name: 'probe', paths: ['/'], plans: [] }],
      plans: [],
      consumers: [],
    };
    const moved = this.request.map(([name, value]): Pair => {
      if (name === ':authority') return [name, 'probe.invalid'];
      return name === ':path' ? [name, value.replace(/^[^?]*/, '/')] : [name, value];
    });
    return new Engine(this.module, config, this.atMs).decide(moved, this.atMs).details !== 'tollgate_missing_api_key';
  }

  private decisionUnder(config: PluginConfig): ReturnType<typeof decisionOf> {
    return decisionOf(new Engine(this.module, config, this.atMs).decide(this.request, this.atMs));
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

/** It was used on this API, and others are not there. */
function withoutApis(key: KeyConfig): KeyConfig {
  const { apis, ...rest } = key;
  return apis === undefined ? key : rest;
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
