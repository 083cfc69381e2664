import type { Fact } from '../../contract/pluginConfig.ts';
import { IDENTITY_HEADERS } from '../../contract/table.ts';
import { FACTS, identityHeadersOf, tellsRoute, type IdentityHeaders } from '../schema/disclosure.ts';
import { spelling } from '../schema/header.ts';
import { Place, type PolicyDraft, type Report } from './draft.ts';
import { keyHeadersAnywhere } from './keySources.ts';

/** What contradicts itself in the headers by which upstreams learn who calls. */
export function checkDisclosure(root: PolicyDraft, report: Report): void {
  const identity = root.get('identityHeaders');
  if (!identity.given) return;
  const chosen = chosenIn(root);
  checkNames(root, report);
  if (chosen === null || tellsRoute({ identityHeaders: chosen })) return;
  const upstreams = destinationsIn(root);
  if (upstreams.size > 1)
    report.add(
      identity,
      `must tell the route in ${IDENTITY_HEADERS.route} and nothing else in it, because requests have several upstreams (${[...upstreams].sort().join(', ')}) and routing tables match on that header`,
      null,
    );
}

/** The headers by fact, or null where they are not written as they may be. */
function chosenIn(root: PolicyDraft): IdentityHeaders | null {
  const { value } = root.get('identityHeaders');
  if (Array.isArray(value))
    return Object.fromEntries(
      FACTS.filter((fact) => value.includes(fact)).map((fact) => [fact, IDENTITY_HEADERS[fact]]),
    );
  if (typeof value !== 'object' || value === null) return null;
  const entries = Object.entries(value);
  return entries.every(([fact, name]) => FACTS.includes(fact as Fact) && typeof name === 'string')
    ? Object.fromEntries(entries)
    : null;
}

/** A name that means something else too, and two spellings of one name, of which servers might read either. */
function checkNames(root: PolicyDraft, report: Report): void {
  const keyHeaders = keyHeadersAnywhere(root);
  const seen = new Map<string, Place>();
  for (const header of root.get('identityHeaders').entries as Place[]) {
    if (header.string === undefined) continue;
    const name = spelling(header.string);
    const other = seen.get(name);
    if (keyHeaders.has(name)) report.add(header, 'must not be a header that holds keys', header.string);
    else if (other !== undefined && other.string !== header.string)
      report.twice(header, 'must be spelled as the header that it shares', other);
    seen.set(name, other ?? header);
  }
  if (seen.size === 0) return;
  const told = 'must not be a header that tells upstreams who calls ("identityHeaders")';
  for (const api of root.get('apis').entries)
    for (const route of api.get('routes').items) {
      const places = [
        ...route
          .get('when')
          .get('headers')
          .entries.map((place): [Place, string] => [place, place.key]),
        ...route.get('setHeaders').entries.map((place): [Place, string] => [place, place.key]),
        ...route.get('removeHeaders').items.map((place): [Place, string] => [place, place.string ?? '']),
      ];
      for (const [place, name] of places) if (seen.has(spelling(name))) report.add(place, told, null);
    }
}

/** Upstreams that requests are sent to. */
function destinationsIn(root: PolicyDraft): Set<string> {
  const passes = root.get('unmatched').string === 'allow' || root.get('mode').string === 'observe';
  const [first] = root.get('upstreams').entries;
  return new Set(
    [
      ...(passes && first !== undefined ? [first.key] : []),
      ...root
        .get('apis')
        .entries.flatMap((api) => [
          api.get('upstream').string,
          ...api.get('routes').items.map((route) => route.get('upstream').string),
        ]),
    ].filter((name) => name !== undefined),
  );
}

/** What is given up without saying so. */
export function warnOfDisclosure(root: PolicyDraft, report: Report): void {
  const identity = root.get('identityHeaders');
  const chosen = identityHeadersOf({ identityHeaders: chosenIn(root) ?? undefined });
  const names = Object.values(chosen);
  const own = names.filter((name) => name !== undefined && Object.values<string>(IDENTITY_HEADERS).includes(name));
  const line = root.get('accessLog').get('line');
  if (line.value === false && root.get('unmatched').string === 'allow' && own.length > 0)
    report.add(
      line,
      'is how another policy in the same Envoy knows that this one has let a request pass; without it that policy removes the headers x-tollgate-…',
      null,
    );
  if (!identity.given || chosen.route !== undefined) return;
  for (const route of root.get('apis').entries.flatMap((api) => api.get('routes').items))
    if (route.entries.every(({ key }) => ROUTING.has(key)))
      report.add(route, 'changes nothing that anybody but the log sees: "identityHeaders" leaves the route out', null);
}

/** A warning that nobody can get. */
export function warnOfKeyExpiry(root: PolicyDraft, report: Report): void {
  const warning = root.get('keyExpiryWarning');
  if (!warning.given) return;
  const keys = root.get('consumers').entries.flatMap((consumer) => consumer.get('keys').items);
  if (!keys.some((key) => key.get('until').given))
    report.add(warning, 'is for keys that end, and none has "until"', null);
}

/** Fields of a route that only choose it, and where it leads. */
const ROUTING: ReadonlySet<string> = new Set(['name', 'when', 'upstream']);
