import { memberOf } from '../policyFile/importParts.ts';
import { type Named, partsComment, recordOf, type Section } from '../policyFile/partsRecord.ts';
import { renderBlock, renderFlow, rendered } from '../policyFile/render.ts';
import type { DescribedKong } from './describeKong.ts';
import { writtenKeySources } from './keySource.ts';

const STYLE = { step: 2, listStep: 2, compactItems: false };

/** A commented policy for one document. */
export function kongPolicy(name: string, schema: string, source: string, described: DescribedKong): string {
  const { keySources, forwardKey, realm, upstreams, plans, apis, consumers } = described;
  const parts = { upstreams, plans, apis, consumers };
  const section = (field: Section, entries: Named): string =>
    Object.keys(entries).length === 0
      ? `${field}: {}\n`
      : `${field}:\n${Object.entries(entries)
          .map(([key, fields]) => renderBlock(memberOf(field, key, fields), 2, STYLE).join('\n'))
          .join('\n')}\n`;
  return `# yaml-language-server: $schema=${schema}
#
# Who may call, how often, and where requests go: made of Kong's ${source}.
#
# When that changes, "tollgate import kong" changes here only what changed there; edit the rest as you like.

# Counters and metrics carry this name.
policy: ${name}

# Where a caller may put the key, in this order, unless an API says otherwise.
keySources:
${writtenKeySources(described)
  .map((one) => `  - ${renderFlow({ item: rendered(one) }, false).replace(/^\{ (.*) \}$/, '$1')}`)
  .join('\n')}
${forwardKey ? '\n# Kong leaves keys in requests (hide_credentials: false). Take this out as soon as no upstream reads them.\nforwardKey: true\n' : ''}${realm === null ? '' : `\nrealm: ${renderFlow({ item: realm }, false)}\n`}
# Where requests go. "tollgate run" sends them to the URL; for Istio, name the service too:
#   orders: { url: "http://127.0.0.1:9001", service: { host: orders.shop.svc.cluster.local, port: 8080 } }
${section('upstreams', upstreams)}
# A route of Kong is an API; routes on the same hosts and paths are one. What matches none is refused with 404.
${section('apis', apis)}
# How much a consumer may call. A request must fit into all quotas of its plan.
${section('plans', plans)}
# Who may call. Of keys there are only digests here.
${section('consumers', consumers)}
# Where on Istio it is enforced, for "tollgate emit":
#   targets: [{ gateway: { namespace: istio-system, selector: { istio: ingressgateway }, gateways: [istio-system/ingress] } }]

${partsComment(recordOf(source, keySources, parts))}
`;
}
