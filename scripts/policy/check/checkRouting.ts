import { destinationsIn } from './checkTargets.ts';
import type { Cursor } from './cursor.ts';
import { printPath } from './path.ts';
import type { Report } from './report.ts';
import { RETRY_STATUSES } from '../schema/upstream.ts';

const NAME = /^(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** What the routing table of each target can say. Without services in the upstreams there is none. */
export function checkRouting(root: Cursor, report: Report): void {
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
function readsTable(target: Cursor): boolean {
  return (
    target.get('gateway').given ||
    target.get('gatewayApi').given ||
    target.get('workload').get('mode').text === 'CLIENT'
  );
}

/** A table leads every route somewhere. */
function checkNoHoles(upstreams: readonly Cursor[], report: Report): void {
  for (const upstream of upstreams) {
    if (upstream.node?.kind !== 'mapping' || destinationsIn(upstream).length > 0) continue;
    report.add(
      upstream,
      'must have a service, because other upstreams have one and there are targets to route on',
      null,
    );
  }
}

function checkTable(root: Cursor, target: Cursor, report: Report): void {
  const needed = (place: Cursor, field: string): void => {
    if (place.given && !place.get(field).given)
      report.add(place, `must have the field "${field}", because the upstreams name services to route to`, null);
  };
  needed(target.get('gateway'), 'gateways');
  if (target.get('gatewayApi').get('kind').text === 'Waypoint') needed(target.get('gatewayApi'), 'services');
  if (!target.get('workload').given) return;
  for (const api of root.get('apis').entries) {
    // a table for all hosts would take every call that the pods make
    if (api.node?.kind === 'mapping' && !api.get('hosts').given)
      report.add(api, `must have hosts, because ${printPath(target.path)} routes what clients send`, null);
  }
}

/** The module takes hosts that a routing table cannot name. */
function checkHosts(root: Cursor, routed: readonly Cursor[], report: Report): void {
  const isHttpRoute = routed.some((target) => target.get('gatewayApi').get('kind').text === 'Gateway');
  for (const host of root.get('apis').entries.flatMap((api) => api.get('hosts').items)) {
    if (host.text === undefined) continue;
    if (!NAME.test(host.text))
      report.add(
        host,
        'must be a name of letters, digits and "-" to stand in a routing table; leave hosts out for any host',
      );
    else if (isHttpRoute && /^[\d.]+$/.test(host.text))
      report.add(host, 'must be a name to stand in an HTTPRoute; leave hosts out for any host');
  }
}

function checkForHttpRoute(upstream: Cursor, target: string, report: Report): void {
  for (const destination of destinationsIn(upstream)) {
    if (destination.get('subset').given)
      report.add(
        destination.get('subset'),
        `must not be given, because ${target} reads HTTPRoutes, which know no subsets; name a Service for each version`,
      );
  }
  checkRetriesForHttpRoute(upstream.get('retries'), target, report);
}

/** The Gateway API knows retries by status only, of 400 and above, and no way to switch them off. */
function checkRetriesForHttpRoute(retries: Cursor, target: string, report: Report): void {
  const retryOn = retries.get('retryOn');
  if (
    retryOn.text !== undefined &&
    !retryOn.text.split(',').every((word) => /^[45]\d\d$/.test(word) || word in RETRY_STATUSES)
  ) {
    report.add(retryOn, `must be 5xx, gateway-error and statuses from 400 only, because ${target} reads HTTPRoutes`);
  }
  if (retries.get('attempts').number === 0)
    report.add(
      retries.get('attempts'),
      `must be at least 1, because ${target} reads HTTPRoutes, which cannot switch retries off`,
    );
}
