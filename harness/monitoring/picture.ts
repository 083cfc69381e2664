import { dashboard } from './dashboard.ts';
import type { Panel, Row, Unit } from './panel.ts';
import type { Line, PrometheusClient, Span } from './prometheusClient.ts';

const COLUMN = 50;
const LINE = 26;
const GAP = 6;
const COLOURS = ['#3d71d9', '#e0752d', '#37872d', '#c4162a', '#8f3bb8', '#b8860b', '#0f8c8c', '#806eb7'];
/** As Grafana colours numbers. */
const CALM = '#3d71d9';
const GOOD = '#37872d';
const WARNING = '#ff9830';
const CRITICAL = '#c4162a';
const LEGEND_LINES = 2;
const LEGEND_LINE = 13;
/** Of the small letters, on average. */
const LETTER = 5.4;
const MARK = 14;
const BETWEEN = 12;

const STYLE = `
  .row { font-weight: bold; font-size: 13px } .title { font-weight: bold } text { fill: #222 } .small { fill: #666; font-size: 10px }
  .page { fill: #f4f5f5 } .frame { fill: #fff; stroke: #ddd } .grid { stroke: #eee }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .page { fill: #0d1117 } .frame { fill: #161b22; stroke: #3d444d } .grid { stroke: #262c36 }
  }`;

export interface PictureOptions {
  readonly rows: readonly Row[];
  readonly client: PrometheusClient;
  readonly span: Span;
  /** An expression with the dashboard's variables put in. */
  readonly chosen: (promql: string) => string;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * The dashboard as an SVG, for a page: the panels in their places with what a Prometheus has recorded. No replacement for Grafana, and
 * not meant to look like it to the pixel.
 */
export async function drawDashboard(options: PictureOptions): Promise<string> {
  const panels = options.rows.flatMap((row) => row.panels);
  const places = dashboard(options.rows).panels ?? [];
  const height = Math.max(...places.map(({ gridPos }) => gridPos!.y + gridPos!.h)) * LINE + GAP;
  const parts: string[] = [];
  for (const { type, title, gridPos } of places) {
    const { x, y, w, h } = gridPos!;
    const box = { x: x * COLUMN + GAP, y: y * LINE + GAP, width: w * COLUMN - GAP, height: h * LINE - GAP };
    if (type === 'row') parts.push(text(box.x, box.y + 14, title ?? '', 'row'));
    else
      parts.push(
        await drawPanel(
          panels.find((panel) => panel.title === title)!,
          box,
          options,
        ),
      );
  }
  const width = 24 * COLUMN + GAP;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">
<style>${STYLE}
</style>
<rect width="100%" height="100%" class="page"/>
${parts.join('\n')}
</svg>
`;
}

async function drawPanel(panel: Panel, box: Box, options: PictureOptions): Promise<string> {
  const frame = `<rect x="${box.x}" y="${box.y}" width="${box.width}" height="${box.height}" rx="2" class="frame"/>`;
  const heading = text(box.x + 8, box.y + 16, shortened(panel.title, Math.floor(box.width / 6.4)), 'title');
  return [frame, heading, await contentOf(panel, box, options)].join('\n');
}

async function contentOf(panel: Panel, box: Box, { client, span, chosen }: PictureOptions): Promise<string> {
  if (panel.kind === 'table')
    return table(panel, box, await client.query(chosen(panel.queries[0]!.promql), span.toSeconds));
  const lines: Named[] = [];
  for (const { promql, legend } of panel.queries)
    for (const line of await client.range(chosen(promql), span)) lines.push({ name: named(legend, line), ...line });
  return panel.kind === 'number' ? number(panel, box, lines) : graph(panel, box, lines, span);
}

type Named = Line & { readonly name: string };

function named(legend: string, { labels }: Line): string {
  return legend.replace(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? '');
}

function number({ unit, alarm = {} }: Panel, box: Box, lines: readonly Named[]): string {
  const value = lines[0]?.points.at(-1)?.[1];
  const shown = value === undefined ? 'no data' : inUnit(value, unit);
  const size = shown.length > 8 ? 20 : 28;
  return `<text x="${box.x + box.width / 2}" y="${box.y + box.height / 2 + 18}" text-anchor="middle" font-size="${size}" style="fill:${colourOf(value ?? 0, alarm)}">${shown}</text>`;
}

function colourOf(value: number, { warning, critical }: NonNullable<Panel['alarm']>): string {
  if (critical !== undefined && value >= critical) return CRITICAL;
  if (warning !== undefined && value >= warning) return WARNING;
  return warning === undefined && critical === undefined ? CALM : GOOD;
}

function table({ columns = [] }: Panel, box: Box, rows: readonly Pick<Line, 'labels'>[]): string {
  const width = (box.width - 16) / columns.length;
  const cells = (values: readonly string[], y: number, style: string): string =>
    values.map((value, i) => text(box.x + 8 + i * width, y, value, style)).join('');
  const shown = rows.slice(0, Math.floor((box.height - 50) / 18));
  const lines = shown.map(({ labels }, i) =>
    cells(
      columns.map((name) => labels[name] ?? ''),
      box.y + 56 + i * 18,
      '',
    ),
  );
  return [cells(columns, box.y + 36, 'small'), ...lines].join('\n');
}

function graph({ kind, unit }: Panel, box: Box, lines: readonly Named[], span: Span): string {
  const names = legend(
    lines.map(({ name }) => name),
    box,
  );
  const plot = { x: box.x + 52, y: box.y + 30, width: box.width - 62, height: box.height - 44 - names.height };
  if (lines.length === 0) return text(plot.x + plot.width / 2 - 20, plot.y + plot.height / 2, 'no data', 'small');
  const bases = new Map<number, number>();
  const stacked = lines.map(({ name, points }) => ({
    name,
    points: points
      .filter(([, value]) => Number.isFinite(value))
      .map(([at, value]) => {
        const base = kind === 'stack' ? (bases.get(at) ?? 0) : 0;
        bases.set(at, base + value);
        return { at, from: base, to: base + value };
      }),
  }));
  const highest = Math.max(...stacked.flatMap(({ points }) => points.map(({ to }) => to)), 0);
  const top = unit === 'percentunit' ? 1 : roundUp(highest);
  const place = (at: number, value: number): string => {
    const x = plot.x + ((at - span.fromSeconds) / (span.toSeconds - span.fromSeconds)) * plot.width;
    return `${x.toFixed(1)},${(plot.y + plot.height * (1 - value / top)).toFixed(1)}`;
  };
  const axis = [0, 0.5, 1].map((part) => {
    const y = plot.y + plot.height * (1 - part);
    return `<line x1="${plot.x}" x2="${plot.x + plot.width}" y1="${y}" y2="${y}" class="grid"/>${text(box.x + 6, y + 4, inUnit(top * part, unit), 'small')}`;
  });
  const drawn = stacked.map(({ points }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const upper = points.map(({ at, to }) => place(at, to)).join(' ');
    const lower = [...points].reverse().map(({ at, from }) => place(at, from));
    const area =
      kind === 'stack' ? `<polygon points="${upper} ${lower.join(' ')}" fill="${colour}" fill-opacity="0.35"/>` : '';
    return `${area}<polyline points="${upper}" fill="none" stroke="${colour}" stroke-width="1.5"/>`;
  });
  return [...axis, ...drawn, names.drawn].join('\n');
}

/** Names as they fit into two lines at the foot of the box; the last says how many more there are. */
function legend(names: readonly string[], box: Box): { drawn: string; height: number } {
  const room = box.width - 16;
  const widthOf = (name: string): number => MARK + name.length * LETTER + BETWEEN;
  const placed: { name: string; x: number; line: number }[] = [];
  let [x, line] = [0, 0];
  for (const [i, full] of names.entries()) {
    const name = shortened(full, Math.floor((room - MARK) / LETTER));
    const more = i === names.length - 1 ? 0 : widthOf(`${names.length} more`);
    if (x > 0 && x + widthOf(name) + (line === LEGEND_LINES - 1 ? more : 0) > room + BETWEEN) {
      if (line === LEGEND_LINES - 1) break;
      [x, line] = [0, line + 1];
    }
    placed.push({ name, x, line });
    x += widthOf(name);
  }
  const first = box.y + box.height - 8 - line * LEGEND_LINE;
  const drawn = placed.map((one, i) => {
    const [left, y] = [box.x + 8 + one.x, first + one.line * LEGEND_LINE];
    return `<rect x="${left.toFixed(1)}" y="${y - 4}" width="10" height="3" fill="${COLOURS[i % COLOURS.length]}"/>${text(left + MARK, y, one.name, 'small')}`;
  });
  if (placed.length < names.length)
    drawn.push(text(box.x + 8 + x, first + line * LEGEND_LINE, `${names.length - placed.length} more`, 'small'));
  return { drawn: drawn.join(''), height: (line + 1) * LEGEND_LINE };
}

function inUnit(value: number, unit: Unit): string {
  const rounded = (digits: number): string => String(Number(value.toPrecision(digits)));
  if (unit === 'percentunit') return `${Number((value * 100).toFixed(1))} %`;
  if (unit === 'ms') return `${rounded(3)} ms`;
  return unit === 'reqps' || unit === 'cps' ? `${rounded(3)} /s` : rounded(4);
}

function roundUp(value: number): number {
  if (value <= 0) return 1;
  const scale = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * scale).find((step) => step >= value)!;
}

function text(x: number, y: number, words: string, style: string): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}"${style && ` class="${style}"`}>${escaped}</text>`;
}

function shortened(words: string, most: number): string {
  return words.length > most ? `${words.slice(0, Math.max(most - 1, 1))}…` : words;
}
