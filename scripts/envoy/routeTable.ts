import type { Snapshot } from './snapshot.ts';

export const ROUTE_TABLE = 'tollgate';
const ROUTE_HEADER = 'x-tollgate-route';

/**
 * Envoy's RouteConfiguration: the filter has decided and says so in x-tollgate-route, so Envoy matches on that header and
 * never on the path. A request without the header matched no API: it reaches Envoy's router only where the policy says
 * `unmatched: allow`, and then goes to the first upstream.
 */
export function routeTableOf(snapshot: Snapshot): object {
  const routes: object[] = snapshot.routes.map((route) => ({
    match: { prefix: '', headers: [{ name: ROUTE_HEADER, string_match: { exact: route.name } }] },
    route: to(route.upstream),
  }));
  if (snapshot.ungated !== null) routes.push({ match: { prefix: '', headers: [{ name: ROUTE_HEADER, present_match: false }] }, route: to(snapshot.ungated) });
  routes.push({ match: { prefix: '' }, direct_response: { status: 404, body: { inline_string: 'no route of the policy leads here\n' } } });
  return {
    '@type': 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
    name: ROUTE_TABLE,
    virtual_hosts: [{ name: 'all', domains: ['*'], routes }],
  };
}

/** No time limit for a whole exchange: it would cut streams and upgraded connections; idle ones still end after Envoy's five minutes. */
function to(upstream: string): object {
  return { cluster: upstream, timeout: '0s' };
}
