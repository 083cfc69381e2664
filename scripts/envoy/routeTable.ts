import type { Snapshot } from './snapshot.ts';

export const ROUTE_TABLE = 'tollgate';
const ROUTE_HEADER = 'x-tollgate-route';

/**
 * A cluster that does not exist, and whose name no upstream can have: Envoy answers 404. Filters before Tollgate see this
 * route, because no header names another yet, and Envoy's cors filter takes no policy from a `direct_response`.
 */
const NOWHERE = 'no route of the policy leads here';

/** What the answer says; Envoy's flag NC is a cluster that is not there. */
export const NOWHERE_REPLY = {
  mappers: [{ filter: { response_flag_filter: { flags: ['NC'] } }, body: { inline_string: `${NOWHERE}\n` } }],
};

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
  if (snapshot.ungated !== null)
    routes.push({
      match: { prefix: '', headers: [{ name: ROUTE_HEADER, present_match: false }] },
      route: to(snapshot.ungated),
    });
  routes.push({ match: { prefix: '' }, route: { cluster: NOWHERE, cluster_not_found_response_code: 'NOT_FOUND' } });
  return {
    '@type': 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
    name: ROUTE_TABLE,
    validate_clusters: false,
    virtual_hosts: [{ name: 'all', domains: ['*'], routes }],
  };
}

/** No time limit for a whole exchange: it would cut streams and upgraded connections; idle ones still end after Envoy's five minutes. */
function to(upstream: string): object {
  return { cluster: upstream, timeout: '0s' };
}
