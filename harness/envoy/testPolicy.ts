import { createHash } from 'node:crypto';

export function digestOf(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

let chosen: 'hour' | 'month' | null = null;

/**
 * The window of quota tests: the hour, unless it is about to end, which would reset the counter in mid-test. Chosen once, because
 * another window in an edit is another counter.
 */
export function steadyWindow(): string {
  chosen ??= 3_600_000 - (Date.now() % 3_600_000) > 400_000 ? 'hour' : 'month';
  return chosen;
}

export interface TestPolicy {
  limit?: number;
  /** Names of further routes, each taken by `x-take: NAME`. */
  routes?: string[];
  /** YAML lines of the API, indented by four. */
  api?: string;
}

/** Consumer acme with key `acme-secret-key` and `limit` requests; consumer rich with `rich-secret-key` and no real limit. */
export function testPolicy({ limit = 1000, routes = [], api = '' }: TestPolicy = {}): string {
  const route = (name: string): string =>
    `      - { name: ${name}, when: { headers: { x-take: ${name} } }, upstream: v2 }\n`;
  return `policy: petstore
keySources: [{ header: x-api-key }, { authorization: Bearer }, { query: api_key }, { cookie: api_key }]
upstreams:
  v1: { url: "http://127.0.0.1:9001" }
  v2: { url: "http://127.0.0.1:9002" }
apis:
  petstore:
    paths: [/v1]
    plans: [counted, endless]
    upstream: v1
${api}    routes:
      - { name: v2, when: { headers: { x-api-version: "2" } }, upstream: v2 }
${routes.map(route).join('')}plans:
  counted: { quotas: { main: { limit: ${limit}, window: ${steadyWindow()} } } }
  endless: {}
consumers:
  acme: { plan: counted, keys: [{ id: acme-1, digest: "${digestOf('acme-secret-key')}" }] }
  rich: { plan: endless, keys: [{ id: rich-1, digest: "${digestOf('rich-secret-key')}" }] }
`;
}
