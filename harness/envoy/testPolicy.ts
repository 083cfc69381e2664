import { createHash } from 'node:crypto';

export function digestOf(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

/** The window of quota tests: the hour, unless it is about to end, which would reset the counter in mid-test. */
export function steadyWindow(nowMs = Date.now()): string {
  return 3_600_000 - (nowMs % 3_600_000) > 120_000 ? 'hour' : 'month';
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
