export interface Line {
  readonly name: string;
  readonly colour: string;
  /** One value for each second. */
  readonly values: readonly number[];
}

export interface Chart {
  readonly title: string;
  readonly xLabel: string;
  readonly lines: readonly Line[];
  /** Seconds at which something happens, with a word about it. */
  readonly marks: readonly (readonly [second: number, word: string])[];
}

const WIDTH = 780;
const HEIGHT = 340;
const PLOT = { left: 60, right: 610, top: 44, bottom: 290 };
const INK = '#24292f';
const FAINT = '#d0d7de';

/** An SVG with a line for each series over seconds; the upward scale is logarithmic and begins at 1. */
export function chartSvg({ title, xLabel, lines, marks }: Chart): string {
  const seconds = Math.max(...lines.map(({ values }) => values.length));
  const decades = Math.max(1, Math.ceil(Math.log10(Math.max(...lines.flatMap(({ values }) => values)))));
  const x = (second: number): string => (PLOT.left + ((PLOT.right - PLOT.left) * second) / (seconds - 1)).toFixed(1);
  const y = (value: number): string =>
    (PLOT.bottom - ((PLOT.bottom - PLOT.top) * Math.log10(Math.max(1, value))) / decades).toFixed(1);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="${INK}">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${PLOT.left}" y="24" font-size="14" font-weight="bold">${title}</text>`,
  ];
  for (let decade = 0; decade <= decades; decade++) {
    const at = y(10 ** decade);
    parts.push(`<line x1="${PLOT.left}" x2="${PLOT.right}" y1="${at}" y2="${at}" stroke="${FAINT}"/>`);
    parts.push(
      `<text x="${PLOT.left - 6}" y="${at}" dy="4" text-anchor="end">${(10 ** decade).toLocaleString('en')}</text>`,
    );
  }
  for (let second = 0; second < seconds; second += 5)
    parts.push(`<text x="${x(second)}" y="${PLOT.bottom + 16}" text-anchor="middle">${second}</text>`);
  parts.push(`<text x="${(PLOT.left + PLOT.right) / 2}" y="${PLOT.bottom + 36}" text-anchor="middle">${xLabel}</text>`);
  for (const [i, [second, word]] of marks.entries()) {
    parts.push(
      `<line x1="${x(second)}" x2="${x(second)}" y1="${PLOT.top}" y2="${PLOT.bottom}" stroke="${INK}" stroke-dasharray="2 4"/>`,
    );
    parts.push(
      `<text x="${x(second)}" y="${PLOT.top - 4}" text-anchor="${i === 0 ? 'end' : 'start'}" font-size="11">${word}</text>`,
    );
  }
  for (const [i, { name, colour, values }] of lines.entries()) {
    const points = values.map((value, second) => `${x(second)},${y(value)}`).join(' ');
    parts.push(
      `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round"/>`,
    );
    const legend = PLOT.top + 10 + i * 20;
    parts.push(
      `<line x1="${PLOT.right + 14}" x2="${PLOT.right + 34}" y1="${legend}" y2="${legend}" stroke="${colour}" stroke-width="3"/>`,
    );
    parts.push(`<text x="${PLOT.right + 40}" y="${legend}" dy="4">${name}</text>`);
  }
  return `${[...parts, '</svg>'].join('\n')}\n`;
}
