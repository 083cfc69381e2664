import { recordComment, type ImportRecord } from '../policyFile/record.ts';
import { rendered, renderBlock, renderFlow } from '../policyFile/render.ts';
import type { Described } from './describeApi.ts';
import type { Fitted, WrittenApi } from './fit.ts';
import type { KeySource } from './security.ts';

/** What a first policy is made of. */
export interface First {
  readonly name: string;
  readonly schema: string;
  readonly described: Described;
  readonly fitted: Fitted;
  readonly record: ImportRecord;
}

const STYLE = { step: 2, listStep: 2, compactItems: false };

const USUAL: readonly KeySource[] = [{ header: 'x-api-key' }, { authorization: 'Bearer' }];

/** A commented policy for one document: what the document says, and what it cannot say, to be filled in. */
export function firstPolicy({ name, schema, described, fitted: { api, quotas }, record }: First): string {
  const { title, keySources } = described;
  const sources = keySources.length > 0 ? keySources : USUAL;
  const scopes = [...new Set(Object.values(api.operations).flatMap((operation) => operation.scopes ?? []))];
  return `# yaml-language-server: $schema=${schema}
#
# Who may call ${title === '' ? 'the API' : title}, how often, and where its requests go.
#
# Made of ${record.source}. When that changes, "tollgate import openapi" changes here only what changed there;
# edit the rest as you like, and "tollgate check" says what is wrong with it.

# Counters and metrics carry this name.
policy: ${name}

# Where a caller may put the key, in this order. It is taken off the request before the upstream sees it.
${keySources.length > 0 ? '' : '# The document does not say; these are usual.\n'}keySources:
${sources.map((source) => `  - ${fieldOf(source)}`).join('\n')}

# Where requests go. "tollgate run" sends them to the URL; for Istio, name the service too:
#   v1: { url: "http://127.0.0.1:9001", service: { host: pets.shop.svc.cluster.local, port: 8080 } }
upstreams:
  v1: { url: "http://127.0.0.1:9001" }

apis:
  ${described.name}:
${api.hosts === undefined ? '    # Any host; name those of the API with hosts: [api.example.com]\n' : `    hosts: ${listOf(api.hosts)}\n`}    paths: ${listOf(api.paths)}
    plans: ${listOf(api.plans)}
    upstream: v1
${api.anonymous === 'allow' ? '    # The document asks for no security anywhere, so callers need no key. Take this out, and they do.\n    anonymous: allow\n' : ''}    # What the document does not list is refused with 404.
    unlisted: deny
    operations:
${operationsOf(api).join('\n')}

# How much a consumer may call. A request must fit into all quotas of its plan.
plans:
${plansOf(api, quotas)}

# Who may call. "tollgate keys issue --consumer acme POLICY" makes a key and shows it once; only its digest comes in here.
consumers:
  acme:
    plan: ${api.plans[0]}
${scopes.length > 0 ? `    # What operations ask for; give each consumer what it needs.\n    scopes: ${listOf(scopes)}\n` : ''}
# Where on Istio it is enforced, for "tollgate emit":
# targets:
#   - gateway: { namespace: istio-system, selector: { istio: ingressgateway }, gateways: [istio-system/ingress] }

${recordComment(record)}
`;
}

function operationsOf({ operations }: WrittenApi): string[] {
  return Object.entries(operations).flatMap(([key, operation]) =>
    renderBlock({ field: [key, rendered(operation)] }, 6, STYLE),
  );
}

function listOf(items: readonly string[]): string {
  return renderFlow({ item: rendered(items) }, false);
}

function fieldOf(source: KeySource): string {
  return Object.entries(source)
    .map(([name, value]) => renderFlow({ field: [name, rendered(value)] }, false))
    .join('');
}

function plansOf({ plans }: WrittenApi, quotas: Fitted['quotas']): string {
  const usual = { 'per-second': { limit: 10, window: 'second' }, monthly: { limit: 10_000, window: 'month' } };
  const fields = Object.entries(quotas ?? usual).map(([name, quota]) => [name, rendered(quota)] as const);
  return plans
    .flatMap((name) => renderBlock({ field: [name, { fields: [['quotas', { fields }]] }] }, 2, STYLE))
    .join('\n');
}
