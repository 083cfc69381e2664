import type { Cursor } from './cursor.ts';
import { durationMs } from '../schema/mesh.ts';
import { printPath } from './path.ts';
import type { Report } from './report.ts';

/** What the fields for Istio say together: targets given once, upstreams that the mesh can reach, weights that add up. */
export function checkTargets(root: Cursor, report: Report): void {
  checkTargetsOnce(root, report);
  for (const target of root.get('targets').items) checkTarget(target, report);
  for (const upstream of root.get('upstreams').entries) checkUpstream(upstream, report);
  checkSubsets(root, report);
}

/** Two plugins of one policy on the same pods would count every request twice. */
function checkTargetsOnce(root: Cursor, report: Report): void {
  const seen = new Map<string, Cursor>();
  for (const target of root.get('targets').items) {
    const [kind] = target.entries;
    if (kind === undefined || target.entries.length > 1) continue;
    const selector = kind
      .get('selector')
      .entries.map(({ key, text }) => [key, text])
      .sort();
    const place = kind.text ?? [
      kind.get('namespace').text,
      selector,
      kind.get('mode').text ?? 'SERVER',
      kind.get('kind').text,
      kind.get('name').text,
    ];
    const twin = JSON.stringify([kind.key, place]);
    const other = seen.get(twin);
    if (other !== undefined) report.twice(kind, 'must be given once', other, null);
    else seen.set(twin, kind);
  }
}

function checkTarget(target: Cursor, report: Report): void {
  const gatewayApi = target.get('gatewayApi');
  const kind = gatewayApi.get('kind').text;
  if (gatewayApi.get('services').given && (kind === 'Gateway' || kind === 'Service')) {
    report.add(gatewayApi.get('services'), 'must go with the kind Waypoint', kind);
  }
  const ports = new Map<number, Cursor>();
  for (const port of target.get('workload').get('ports').items) {
    if (port.number === undefined) continue;
    const other = ports.get(port.number);
    if (other !== undefined) report.twice(port, 'must be given once', other);
    else ports.set(port.number, port);
  }
}

function checkUpstream(upstream: Cursor, report: Report): void {
  const destinations = destinationsIn(upstream);
  for (const destination of destinations) {
    if (destination.get('labels').given && !destination.get('subset').given)
      report.add(destination.get('labels'), 'must go with a subset, which gets its name from "subset"', null);
  }
  const services = upstream.get('services');
  if (services.items.length > 0 && services.items.every((service) => service.get('weight').number === 0))
    report.add(services, 'must have a weight above 0', null);
  if (destinations.length === 0) {
    for (const field of ['timeout', 'retries']) {
      if (upstream.get(field).given)
        report.add(upstream.get(field), 'must go with service or services; "tollgate run" has no use for it', null);
    }
  }
  const total = durationMs(upstream.get('timeout').text ?? '');
  const perTry = upstream.get('retries').get('perTryTimeout');
  checkNoRetries(upstream.get('retries'), report);
  if (total !== null && (durationMs(perTry.text ?? '') ?? 0) > total)
    report.add(perTry, `must be at most the timeout (${upstream.get('timeout').text!})`);
}

/** Istio refuses a table that says how to do what is switched off. */
function checkNoRetries(retries: Cursor, report: Report): void {
  if (retries.get('attempts').number !== 0) return;
  for (const field of ['perTryTimeout', 'retryOn']) {
    if (retries.get(field).given) report.add(retries.get(field), 'must not stand beside "attempts: 0"', null);
  }
}

/** A subset is chosen by the same labels wherever it is named. */
function checkSubsets(root: Cursor, report: Report): void {
  const known = new Map<string, { labels: string; at: Cursor }>();
  for (const destination of root.get('upstreams').entries.flatMap(destinationsIn)) {
    const at = destination.get('labels');
    if (!at.given) continue;
    const subset = JSON.stringify([destination.get('host').text, destination.get('subset').text]);
    const labels = JSON.stringify(at.entries.map(({ key, text }) => [key, text]).sort());
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
export function destinationsIn(upstream: Cursor): Cursor[] {
  const service = upstream.get('service');
  return [...(service.given ? [service] : []), ...upstream.get('services').items];
}
