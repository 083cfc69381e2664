import type { Pair } from '../../scripts/host/stream.ts';
import { KEY, pluginConfig, type PluginConfig } from '../config.ts';

/** Something that a policy may have very many of, and a request that needs one in the middle of them. */
export interface Scale {
  readonly what: string;
  readonly most: number;
  /** How many more instructions a request may take with the most than with one. */
  readonly limit: number;
  readonly config: (count: number) => PluginConfig;
}

export const SCALE_REQUEST: readonly Pair[] = [
  [':authority', 'api.example.com'],
  [':path', '/v1/pets?limit=10'],
  [':method', 'GET'],
  [':scheme', 'https'],
  ['user-agent', 'curl/8.5.0'],
  ['accept', '*/*'],
  ['x-request-id', '4f0c7b9e-7a6d-4a9e-9b39-0a2c0f9f5d11'],
  ['x-api-version', '2'],
  ['x-api-key', KEY],
];

/** What the access log says of the one that the request needs. */
export function needed(count: number): number {
  return count >> 1;
}

const API = { name: 'petstore', paths: ['/v1'], plans: ['free'] };
const many = <T>(count: number, make: (i: number, isNeeded: boolean) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i, i === needed(count)));
const configWith = (fields: Partial<PluginConfig>): PluginConfig => ({ ...pluginConfig([]), ...fields });

export const SCALES: readonly Scale[] = [
  {
    what: 'APIs on one host',
    most: 10_000,
    limit: 2000,
    config: (count) =>
      configWith({
        apis: many(count, (i, isNeeded) => ({
          ...{ ...API, name: `api-${i}` },
          hosts: ['api.example.com'],
          paths: [isNeeded ? '/v1' : `/service-${i}/v1`],
        })),
      }),
  },
  {
    what: 'hosts, an API each',
    most: 10_000,
    limit: 2000,
    config: (count) =>
      configWith({
        apis: many(count, (i, isNeeded) => ({
          ...{ ...API, name: `api-${i}` },
          hosts: [isNeeded ? 'api.example.com' : `api-${i}.example.com`],
        })),
      }),
  },
  {
    what: 'operations of an API',
    most: 10_000,
    limit: 2000,
    config: (count) =>
      configWith({
        apis: [
          {
            ...API,
            operations: many(count, (i, isNeeded) => ({
              name: `o${i}`,
              methods: ['GET'],
              path: isNeeded ? '/pets' : `/kind-${i % 97}/{}/part-${i}`,
            })),
          },
        ],
      }),
  },
  {
    what: 'subscriptions of a consumer',
    most: 10_000,
    limit: 2000,
    config: (count) =>
      configWith({
        apis: many(count, (i, isNeeded) => ({
          ...{ ...API, name: `api-${i}` },
          paths: [isNeeded ? '/v1' : `/service-${i}`],
        })),
        consumers: [
          {
            ...pluginConfig([]).consumers[0],
            plan: undefined,
            subscriptions: many(count, (i) => ({ api: `api-${i}`, plan: 'free' })),
          },
        ],
      }),
  },
  {
    what: 'routes by a header',
    most: 1000,
    limit: 3000,
    config: (count) =>
      configWith({
        apis: [
          {
            ...API,
            routes: many(count, (i, isNeeded) => ({
              name: `r${i}`,
              headers: [{ name: 'x-api-version', exact: isNeeded ? '2' : `v${i}` }],
            })),
          },
        ],
      }),
  },
];
