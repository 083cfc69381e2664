import type { Cluster } from '../cluster/cluster.ts';
import { KINDS, listAt, shown, textAt, type KubeObject } from '../cluster/object.ts';
import { ROUTE_HEADER } from '../istio/routing.ts';
import { failedConditions } from './compare.ts';
import { routesIn } from './expected.ts';
import type { Observations } from './observation.ts';
import type { PluginResource } from './plugin.ts';

const MOST_NAMED = 10;

/** Whether somebody reads what the module writes into x-tollgate-route, and what Istio says of our own tables. */
export async function checkTables(
  plugins: readonly PluginResource[],
  tables: readonly KubeObject[],
  cluster: Cluster,
  findings: Observations,
): Promise<void> {
  for (const table of tables)
    if (table.kind === 'HTTPRoute')
      for (const condition of failedConditions(table.status)) findings.problem('routing', table, shown(condition));
  // a server's sidecar hands every request to its own application
  const routing = plugins.filter(({ mode, targetRefs }) => mode !== 'SERVER' || targetRefs.length > 0);
  const wanted = new Set(routing.flatMap(({ config }) => routesIn(config)));
  const leads = routing.some(({ config }) => listAt(config, 'apis').some((api) => listAt(api, 'routes').length > 0));
  if (wanted.size === 0 || (!leads && tables.length === 0)) return;
  const known = await findings.look('routing', 'cluster', () => routesOf(cluster));
  if (known === null) return;
  const missing = [...wanted].filter((route) => !known.has(route));
  const labels = routing.map(({ label }) => label).join(', ');
  if (missing.length === wanted.size && tables.length === 0)
    findings.problem(
      'routing',
      labels,
      `names routes in ${ROUTE_HEADER}, and no VirtualService or HTTPRoute reads that header`,
    );
  else if (missing.length > 0)
    findings.problem(
      'routing',
      labels,
      `no VirtualService or HTTPRoute has ${missing.length === 1 ? 'the route' : 'the routes'} ${missing.slice(0, MOST_NAMED).join(', ')}${missing.length > MOST_NAMED ? ` and ${missing.length - MOST_NAMED} more` : ''}`,
    );
}

/** The values of x-tollgate-route that any table of the cluster matches on, ours or not. */
async function routesOf(cluster: Cluster): Promise<Set<string>> {
  const [services, routes] = await Promise.all([
    cluster.list(KINDS.virtualService, null),
    cluster.list(KINDS.httpRoute, null),
  ]);
  const classic = services.flatMap(({ spec }) =>
    listAt(spec, 'http').flatMap((rule) =>
      listAt(rule, 'match').flatMap((match) => textAt(match, 'headers', ROUTE_HEADER, 'exact') ?? []),
    ),
  );
  const modern = routes.flatMap(({ spec }) =>
    listAt(spec, 'rules').flatMap((rule) =>
      listAt(rule, 'matches').flatMap((match) =>
        listAt(match, 'headers').flatMap((header) =>
          textAt(header, 'name')?.toLowerCase() === ROUTE_HEADER ? (textAt(header, 'value') ?? []) : [],
        ),
      ),
    ),
  );
  return new Set([...classic, ...modern]);
}
