import type { Figures } from './figure.ts';
import type { Result } from './result.ts';
import { NO_FILTER } from './variant.ts';

const ROW = 26;
const BAR = 16;
const LABELS = 360;
const BARS = 420;
const VALUES = 70;
const TOP = 56;
const WIDTH = LABELS + BARS + VALUES;

/** Colours for a light and a dark page, by family, so that neighbours are easy to tell apart. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600; font-size: 15px } .small { fill: #59636e; font-size: 12px }
  line { stroke: #d1d9e0 } rect { fill: #8c959f } .tollgate { fill: #0969da } .service { fill: #bc4c00 } .extra { fill: #bc4c00; opacity: .45 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } line { stroke: #3d444d } rect { fill: #7d8590 } .tollgate { fill: #4493f8 } .service, .extra { fill: #f0883e }
  }`;

/** Bars of CPU per request over no filter, on a linear scale from zero; the pale part is the CPU of other processes. */
export function chart(result: Result): string {
  const rows = result.variants.filter(({ name }) => name !== NO_FILTER);
  const scale = BARS / Math.max(1, ...rows.map(length));
  const height = TOP + rows.length * ROW + 16;
  const caption = `${result.machine.cpu}, ${result.machine.cores} cores, Envoy ${result.machine.envoy}, median of ${result.rounds} rounds, ${result.date}`;
  return (
    [
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="CPU microseconds per request over no filter">`,
      `<style>${STYLE}\n</style>`,
      `<text class="title" x="8" y="22">CPU per request over no filter, µs</text>`,
      `<text class="small" x="8" y="42">${escape(caption)}; pale: other processes, added in the number</text>`,
      `<line x1="${LABELS}" y1="${TOP - 4}" x2="${LABELS}" y2="${height - 12}"/>`,
      ...rows.map((figures, index) => bar(figures, TOP + index * ROW, scale)),
      '</svg>',
    ].join('\n') + '\n'
  );
}

/** Noise can make the cheapest variant negative: its bar then has no length, and its number shows the value. */
function length({ overNoFilter, overNoFilterWithServices }: Figures): number {
  return Math.max(0, overNoFilter, overNoFilterWithServices);
}

function bar(figures: Figures, y: number, scale: number): string {
  const own = Math.max(0, figures.overNoFilter) * scale;
  const whole = length(figures) * scale;
  const baseline = y + BAR - 3;
  const others = whole > own && Object.keys(figures.servicesCpu).length > 0;
  return [
    `<text x="${LABELS - 8}" y="${baseline}" text-anchor="end">${escape(figures.title)}</text>`,
    `<rect class="${figures.family}" x="${LABELS}" y="${y}" width="${pixels(own)}" height="${BAR}"/>`,
    ...(others
      ? [`<rect class="extra" x="${pixels(LABELS + own)}" y="${y}" width="${pixels(whole - own)}" height="${BAR}"/>`]
      : []),
    `<text x="${pixels(LABELS + (others ? whole : own) + 6)}" y="${baseline}">${(others ? figures.overNoFilterWithServices : figures.overNoFilter).toFixed(1)}</text>`,
  ].join('');
}

function pixels(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
