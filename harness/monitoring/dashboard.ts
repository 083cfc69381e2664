import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  BigValueGraphMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh,
  VariableSort,
  type Dashboard,
  type GridPos,
  type Panel as GrafanaPanel,
  type Threshold,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as GraphBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { ROWS } from './description.ts';
import type { Panel, Row } from './panel.ts';

/** Every panel asks the data source that is picked at the top: no installation calls it the same. */
const SOURCE = { type: 'prometheus', uid: '${datasource}' };
const GRID_WIDTH = 24;
const HEIGHT: Readonly<Record<Panel['kind'], number>> = { graph: 8, stack: 8, number: 4, table: 8 };
const YELLOW = 'orange';

/** examples/monitoring/dashboard.json, as text. `UPDATE_GOLDEN=1 npm test monitoring` writes it. */
export function dashboardText(): string {
  return `${JSON.stringify(dashboard(ROWS), null, 2)}\n`;
}

/** The dashboard in the form that every Grafana since version 9 imports. */
export function dashboard(rows: readonly Row[]): Dashboard {
  const built = new DashboardBuilder('Tollgate')
    .uid('tollgate')
    .description(
      'API keys, quotas and policies in Envoy: what was asked for, what was refused and why, and what is in force where.',
    )
    .tags(['tollgate', 'envoy'])
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(choice('policy', 'Policy', 'label_values(tollgate_info, policy)'))
    .withVariable(choice('instance', 'Proxy', 'label_values(tollgate_info{policy=~"$policy"}, instance)'));
  let id = 1;
  let y = 0;
  for (const { title, panels } of rows) {
    built.withRow(new RowBuilder(title).id(id++).gridPos({ x: 0, y: y++, w: GRID_WIDTH, h: 1 }));
    let x = 0;
    let lineHeight = 0;
    for (const panel of panels) {
      if (x + panel.width > GRID_WIDTH) {
        y += lineHeight;
        [x, lineHeight] = [0, 0];
      }
      const h = HEIGHT[panel.kind];
      built.withPanel(panelOf(panel, id++, { x, y, w: panel.width, h }));
      x += panel.width;
      lineHeight = Math.max(lineHeight, h);
    }
    y += lineHeight;
  }
  return built.build();
}

function choice(name: string, label: string, values: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(SOURCE)
    .query({ query: values, refId: name })
    .definition(values)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .current({ text: 'All', value: '$__all' });
}

function panelOf(panel: Panel, id: number, place: GridPos): Builder<GrafanaPanel> {
  const builder = panel.kind === 'number' ? stat(panel) : panel.kind === 'table' ? table(panel) : graph(panel);
  builder.id(id).gridPos(place).title(panel.title).description(panel.about).datasource(SOURCE).unit(panel.unit);
  for (const [i, { promql, legend }] of panel.queries.entries()) {
    const target = new DataqueryBuilder()
      .datasource(SOURCE)
      .refId(String.fromCharCode('A'.charCodeAt(0) + i))
      .expr(promql)
      .legendFormat(legend);
    builder.withTarget(panel.kind === 'table' ? target.instant().format(PromQueryFormat.Table) : target.range());
  }
  return builder;
}

function graph({ kind, unit }: Panel): GraphBuilder {
  const builder = new GraphBuilder()
    .min(0)
    .fillOpacity(kind === 'stack' ? 30 : 5)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (unit === 'percentunit') builder.max(1);
  return kind === 'stack'
    ? builder.stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
    : builder;
}

function stat({ alarm = {} }: Panel): StatBuilder {
  const { warning, critical } = alarm;
  const steps: Threshold[] = [
    { value: null, color: warning === undefined && critical === undefined ? 'blue' : 'green' },
    ...(warning === undefined ? [] : [{ value: warning, color: YELLOW }]),
    ...(critical === undefined ? [] : [{ value: critical, color: 'red' }]),
  ];
  return new StatBuilder()
    .thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps))
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
}

function table({ columns = [] }: Panel): TableBuilder {
  return new TableBuilder().transformations([
    {
      id: 'filterFieldsByName',
      options: { include: { names: [...columns] } },
    },
    {
      id: 'organize',
      options: { indexByName: Object.fromEntries(columns.map((name, i) => [name, i])) },
    },
  ]);
}
