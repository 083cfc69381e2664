import { VariableType, type Dashboard, type GridPos } from '@grafana/grafana-foundation-sdk/dashboard';

type Entry = NonNullable<Dashboard['panels']>[number];
interface Target {
  readonly refId?: string;
  readonly expr?: string;
  readonly legendFormat?: string;
  readonly datasource?: { readonly uid?: string };
}

/** Labels by the name of a series; of series that are not named nothing is known. */
export type KnownSeries = Readonly<Record<string, readonly string[]>>;

const GRID_WIDTH = 24;
const SOURCE = '${datasource}';
/** Labels that Prometheus adds to what it reads. */
const ADDED = ['instance', 'job'];

/** What is wrong with a dashboard, a line each: what an import into Grafana would show only to who looks at every panel. */
export function lint(dashboard: Dashboard, known: KnownSeries): string[] {
  const panels = dashboard.panels ?? [];
  return [
    ...repeated(panels.map(({ id }) => `panel id ${id}`)),
    ...repeated(panels.filter(({ type }) => type !== 'row').map(({ title }) => `panel title "${title}"`)),
    ...variables(dashboard),
    ...overlaps(panels),
    ...panels.filter(({ type }) => type !== 'row').flatMap((panel) => panelFaults(panel, known)),
  ];
}

function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, i) => names.indexOf(name) !== i))].map((name) => `${name}: not unique`);
}

/** Variables that are used but not there, or there and not used, and queries of variables to a fixed data source. */
function variables({ templating, panels }: Dashboard): string[] {
  const list = templating.list ?? [];
  const names = list.map(({ name }) => name);
  const text = JSON.stringify([panels, list.map(({ query, datasource }) => [query, datasource])]);
  const used = new Set([...text.matchAll(/\$\{?([a-z]\w*)\}?/g)].map((match) => match[1]!));
  return [
    ...[...used].filter((name) => !names.includes(name)).map((name) => `variable $${name}: used, but not there`),
    ...names.filter((name) => !used.has(name)).map((name) => `variable $${name}: not used`),
    ...(list[0]?.type === VariableType.Datasource ? [] : ['the first variable: must pick the data source']),
    ...list
      .filter(({ type, datasource }) => type === VariableType.Query && datasource?.uid !== SOURCE)
      .map(({ name }) => `variable $${name}: data source must be ${SOURCE}`),
  ];
}

function overlaps(panels: readonly Entry[]): string[] {
  return panels.flatMap((one, i) => [
    ...(isOnGrid(one.gridPos) ? [] : [`panel "${one.title}": not on the grid`]),
    ...panels
      .slice(i + 1)
      .filter((other) => overlap(one.gridPos, other.gridPos))
      .map((other) => `panel "${one.title}": covers "${other.title}"`),
  ]);
}

function isOnGrid(place: GridPos | undefined): boolean {
  if (place === undefined) return false;
  return place.x >= 0 && place.y >= 0 && place.w > 0 && place.h > 0 && place.x + place.w <= GRID_WIDTH;
}

function overlap(a: GridPos | undefined, b: GridPos | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

function panelFaults(panel: Entry, known: KnownSeries): string[] {
  if (!('targets' in panel)) return [`panel "${panel.title}": no queries`];
  const targets = (panel.targets ?? []) as unknown as Target[];
  const faults = [
    ...(panel.title?.trim() ? [] : ['no title']),
    ...(panel.description?.trim() ? [] : ['no description']),
    ...(panel.fieldConfig?.defaults.unit ? [] : ['no unit']),
    ...(panel.datasource?.uid === SOURCE ? [] : [`data source must be ${SOURCE}`]),
    ...(targets.length > 0 ? [] : ['no queries']),
    ...repeated(targets.map(({ refId }) => `query ${refId}`)),
    ...targets.flatMap((target) => targetFaults(target, known).map((fault) => `query ${target.refId}: ${fault}`)),
  ];
  return faults.map((fault) => `panel "${panel.title}": ${fault}`);
}

function targetFaults({ expr = '', legendFormat = '', datasource }: Target, known: KnownSeries): string[] {
  return [
    ...(expr.trim() ? [] : ['no expression']),
    ...(legendFormat.trim() ? [] : ['no legend']),
    ...(datasource?.uid === SOURCE ? [] : [`data source must be ${SOURCE}`]),
    // a fixed range shows nothing where metrics are read less often
    ...(/\b(rate|irate)\([^[]*\[(?!\$__rate_interval\])/.test(expr) ? ['rate must be over $__rate_interval'] : []),
    ...(/\binstance=~"\$instance"/.test(expr) ? [] : ['does not heed $instance']),
    ...legendLabels(legendFormat, expr),
    ...seriesFaults(expr, known),
  ];
}

/** Labels that a legend shows but that the query sums up. */
function legendLabels(legend: string, expr: string): string[] {
  const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].map((match) => match[1]!.split(/\s*,\s*/));
  if (grouped.length === 0) return [];
  return [...legend.matchAll(/\{\{\s*(\w+)\s*\}\}/g)]
    .map((match) => match[1]!)
    .filter((label) => !grouped[0]!.includes(label))
    .map((label) => `legend shows ${label}, which is not grouped by`);
}

function seriesFaults(expr: string, known: KnownSeries): string[] {
  const selected = [...expr.matchAll(/\b([a-z_]\w*)\{([^}]*)\}/g)].map((match) => [match[1]!, match[2]!] as const);
  if (selected.length === 0 && expr.trim()) return ['selects no series'];
  return selected.flatMap(([name, matchers]) => {
    const labels = known[name];
    if (labels === undefined) return name.startsWith('tollgate_') ? [`no series ${name}`] : [];
    return [...matchers.matchAll(/\b(\w+)\s*(?:=~|!~|!=|=)\s*"/g)]
      .map((match) => match[1]!)
      .filter((label) => ![...labels, ...ADDED].includes(label))
      .map((label) => `${name} has no label ${label}`);
  });
}
