import { durationMs, RETRY_STATUSES } from '../schema/mesh.ts';
import { printPath } from '../secret.ts';
import type { DestinationDraft, Place, PolicyDraft, Report, TargetDraft, UpstreamDraft } from './draft.ts';

/** What the fields for Istio say together: targets given once, upstreams that the mesh can reach, weights that add up. */
export function checkTargets(root: PolicyDraft, report: Report): void {
  checkTargetsOnce(root, report);
  for (const target of root.get('targets').items) checkTarget(target, report);
  for (const upstream of root.get('upstreams').entries) checkUpstream(upstream, report);
  checkSubsets(root, report);
}

/** Two plugins of one policy on the same pods would count every request twice. */
function checkTargetsOnce(root: PolicyDraft, report: Report): void {
  const seen = new Map<string, Place>();
  for (const target of root.get('targets').items) {
    const [kind] = target.entries;
    if (kind === undefined || target.entries.length > 1) continue;
    const selector = kind
      .get('selector')
      .entries.map(({ key, string }) => [key, string])
      .sort();
    const place = kind.string ?? [
      kind.get('namespace').string,
      selector,
      kind.get('mode').string ?? 'SERVER',
      kind.get('kind').string,
      kind.get('name').string,
    ];
    const twin = JSON.stringify([kind.key, place]);
    const other = seen.get(twin);
    if (other !== undefined) report.twice(kind, 'must be given once', other, null);
    else seen.set(twin, kind);
  }
}

function checkTarget(target: TargetDraft, report: Report): void {
  const gatewayApi = target.get('gatewayApi');
  const kind = gatewayApi.get('kind').string;
  if (gatewayApi.get('services').given && (kind === 'Gateway' || kind === 'Service')) {
    report.add(gatewayApi.get('services'), 'must go with the kind Waypoint', kind);
  }
  const ports = new Map<number, Place>();
  for (const port of target.get('workload').get('ports').items) {
    if (port.number === undefined) continue;
    const other = ports.get(port.number);
    if (other !== undefined) report.twice(port, 'must be given once', other);
    else ports.set(port.number, port);
  }
}

function checkUpstream(upstream: UpstreamDraft, report: Report): void {
  const destinations = destinationsIn(upstream);
  for (const destination of destinations) {
    if (destination.get('labels').given && !destination.get('subset').given)
      report.add(destination.get('labels'), 'must go with a subset, which gets its name from "subset"', null);
  }
  const services = upstream.get('services');
  if (services.items.length > 0 && services.items.every((service) => service.get('weight').number === 0))
    report.add(services, 'must have a weight above 0', null);
  if (destinations.length === 0) {
    for (const field of ['timeout', 'retries'] as const) {
      if (upstream.get(field).given)
        report.add(upstream.get(field), 'must go with service or services; "tollgate run" has no use for it', null);
    }
  }
  if (upstream.get('hostRewrite').isTrue && new Set(destinations.map((one) => one.get('host').string)).size > 1)
    report.add(upstream.get('hostRewrite'), 'must be a name, because the services have several hosts', null);
  if (upstream.get('tls').given && !/^https:/.test(upstream.get('url').string ?? ''))
    report.add(upstream.get('tls'), 'must go with a url of https://', null);
  const total = durationMs(upstream.get('timeout').string ?? '');
  const perTry = upstream.get('retries').get('perTryTimeout');
  checkNoRetries(upstream, report);
  if (total !== null && (durationMs(perTry.string ?? '') ?? 0) > total)
    report.add(perTry, `must be at most the timeout (${upstream.get('timeout').string!})`);
}

/** Istio refuses a table that says how to do what is switched off. */
function checkNoRetries(upstream: UpstreamDraft, report: Report): void {
  const retries = upstream.get('retries');
  if (retries.get('attempts').number !== 0) return;
  for (const field of ['perTryTimeout', 'retryOn'] as const) {
    if (retries.get(field).given) report.add(retries.get(field), 'must not stand beside "attempts: 0"', null);
  }
}

/** A subset is chosen by the same labels wherever it is named. */
function checkSubsets(root: PolicyDraft, report: Report): void {
  const known = new Map<string, { labels: string; at: Place }>();
  for (const destination of root.get('upstreams').entries.flatMap(destinationsIn)) {
    const at = destination.get('labels');
    if (!at.given) continue;
    const subset = JSON.stringify([destination.get('host').string, destination.get('subset').string]);
    const labels = JSON.stringify(at.entries.map(({ key, string }) => [key, string]).sort());
    const other = known.get(subset);
    known.set(subset, other ?? { labels, at });
    if (other !== undefined && other.labels !== labels)
      report.twice(
        at,
        `must be the same for every use of the subset; ${printPath(other.at.path)} has others`,
        other.at,
        null,
      );
  }
}

/** The destinations that an upstream names, in either form. */
export function destinationsIn(upstream: UpstreamDraft): DestinationDraft[] {
  const service = upstream.get('service');
  return [...(service.given ? [service] : []), ...upstream.get('services').items];
}

const NAME = /^(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** What the routing table of each target can say. Without services in the upstreams there is none. */
export function checkRouting(root: PolicyDraft, report: Report): void {
  const upstreams = root.get('upstreams').entries;
  const routed = root.get('targets').items.filter(readsTable);
  if (routed.length === 0 || !upstreams.some((upstream) => destinationsIn(upstream).length > 0)) return;
  checkNoHoles(upstreams, report);
  checkHosts(root, routed, report);
  for (const target of routed) checkTable(root, target, report);
  const reader = routed.find((target) => target.get('gatewayApi').given);
  if (reader !== undefined)
    for (const upstream of upstreams) checkForHttpRoute(upstream, printPath(reader.path), report);
}

/** A server's sidecar only hands requests to its own application. */
function readsTable(target: TargetDraft): boolean {
  return (
    target.get('gateway').given ||
    target.get('gatewayApi').given ||
    target.get('workload').get('mode').string === 'CLIENT'
  );
}

/** A table leads every route somewhere. */
function checkNoHoles(upstreams: readonly UpstreamDraft[], report: Report): void {
  for (const upstream of upstreams) {
    if (!upstream.isMapping || destinationsIn(upstream).length > 0) continue;
    report.add(
      upstream,
      'must have a service, because other upstreams have one and there are targets to route on',
      null,
    );
  }
}

function checkTable(root: PolicyDraft, target: TargetDraft, report: Report): void {
  const needed = (place: Place, field: Place): void => {
    if (place.given && !field.given)
      report.add(place, `must have the field "${field.key}", because the upstreams name services to route to`, null);
  };
  const [gateway, gatewayApi] = [target.get('gateway'), target.get('gatewayApi')];
  needed(gateway, gateway.get('gateways'));
  if (gatewayApi.get('kind').string === 'Waypoint') needed(gatewayApi, gatewayApi.get('services'));
  if (!target.get('workload').given) return;
  for (const api of root.get('apis').entries) {
    // a table for all hosts would take every call that the pods make
    if (api.isMapping && !api.get('hosts').given)
      report.add(api, `must have hosts, because ${printPath(target.path)} routes what clients send`, null);
  }
}

/** The module takes hosts that a routing table cannot name. */
function checkHosts(root: PolicyDraft, routed: readonly TargetDraft[], report: Report): void {
  const isHttpRoute = routed.some((target) => target.get('gatewayApi').get('kind').string === 'Gateway');
  for (const host of root.get('apis').entries.flatMap((api) => api.get('hosts').items)) {
    if (host.string === undefined) continue;
    if (!NAME.test(host.string))
      report.add(
        host,
        'must be a name of letters, digits and "-" to stand in a routing table; leave hosts out for any host',
      );
    else if (isHttpRoute && /^[\d.]+$/.test(host.string))
      report.add(host, 'must be a name to stand in an HTTPRoute; leave hosts out for any host');
  }
}

function checkForHttpRoute(upstream: UpstreamDraft, target: string, report: Report): void {
  for (const destination of destinationsIn(upstream)) {
    if (destination.get('subset').given)
      report.add(
        destination.get('subset'),
        `must not be given, because ${target} reads HTTPRoutes, which know no subsets; name a Service for each version`,
      );
  }
  checkRetriesForHttpRoute(upstream, target, report);
}

/** The Gateway API knows retries by status only, of 400 and above, and no way to switch them off. */
function checkRetriesForHttpRoute(upstream: UpstreamDraft, target: string, report: Report): void {
  const retries = upstream.get('retries');
  const retryOn = retries.get('retryOn');
  if (
    retryOn.string !== undefined &&
    !retryOn.string.split(',').every((word) => /^[45]\d\d$/.test(word) || word in RETRY_STATUSES)
  ) {
    report.add(retryOn, `must be 5xx, gateway-error and statuses from 400 only, because ${target} reads HTTPRoutes`);
  }
  if (retries.get('attempts').number === 0)
    report.add(
      retries.get('attempts'),
      `must be at least 1, because ${target} reads HTTPRoutes, which cannot switch retries off`,
    );
}
