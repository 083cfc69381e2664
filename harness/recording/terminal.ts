import { inPackage } from '../../scripts/file/packageRoot.ts';
import type { Played } from './record.ts';

export const PICTURE = inPackage('docs', 'recording.svg');
const DESCRIPTION =
  'A terminal: tollgate check finds a mistake in a policy, tollgate run starts an Envoy that answers 401, 200 and 429';

const COLUMNS = 108;
const FONT = 13;
const CELL = 7.8;
const LINE = 18;
/** Before a command. */
const GAP = 6;
const PADDING = 22;
const BAR = 36;
const WIDTH = Math.round(COLUMNS * CELL + 2 * PADDING);

/** When a line appears: after the one before it, and later where somebody types or reads. */
const TYPING_SECONDS = 0.5;
const READING_SECONDS = 0.6;
const PRINTING_SECONDS = 0.05;

interface Row {
  readonly text: string;
  readonly kind: 'typed' | 'printed' | 'good' | 'bad';
  readonly atSeconds: number;
  /** How far below the first row, in pixels. */
  readonly down: number;
}

/**
 * A terminal as an SVG: its lines appear one after another, once. Where nothing moves (a printed page, a reader who wants no
 * motion) all of them are there at once. Colours follow the reader's scheme.
 */
export function terminal(played: readonly Played[]): string {
  const rows = rowsOf(played);
  const height = BAR + PADDING + rows.at(-1)!.down + LINE + PADDING - 10;
  const lines = rows.map(({ text, kind, atSeconds, down }) => {
    const delay = atSeconds === 0 ? '' : ` style="animation-delay:${atSeconds.toFixed(2)}s"`;
    const length = Math.round(text.length * CELL * 10) / 10;
    const y = BAR + PADDING + down + FONT - 4;
    return `<text class="${kind}" x="${PADDING}" y="${y}" textLength="${length}"${delay}>${content(text, kind)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(DESCRIPTION)}">
<style>${STYLE}</style>
<rect class="window" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="10"/>
<path class="bar" d="M0.5 ${BAR}H${WIDTH - 0.5}"/>
<circle class="dot" cx="22" cy="18" r="5.5"/><circle class="dot" cx="40" cy="18" r="5.5"/><circle class="dot" cx="58" cy="18" r="5.5"/>
<text class="title" x="${WIDTH / 2}" y="23" text-anchor="middle">shop</text>
${lines.join('\n')}
</svg>
`;
}

function rowsOf(played: readonly Played[]): Row[] {
  const rows: Row[] = [];
  let [seconds, down] = [0, 0];
  const add = (line: string, kind: Row['kind']): void => {
    for (const text of folded(line)) {
      if (text !== '') rows.push({ text, kind, atSeconds: seconds, down });
      down += LINE;
    }
  };
  played.forEach(({ typed, printed }, i) => {
    if (i > 0) [seconds, down] = [seconds + READING_SECONDS, down + GAP];
    add(`$ ${typed}`, 'typed');
    seconds += TYPING_SECONDS;
    const text = printed.replace(/\s+$/, '');
    for (const line of text === '' ? [] : text.split('\n')) {
      seconds += PRINTING_SECONDS;
      add(line, kindOf(line));
    }
  });
  return rows;
}

/** A line as a terminal of that width shows it. */
function folded(line: string): string[] {
  const rows: string[] = [];
  for (let at = 0; at === 0 || at < line.length; at += COLUMNS) rows.push(line.slice(at, at + COLUMNS));
  return rows;
}

function kindOf(line: string): Row['kind'] {
  if (/^HTTP\/1\.1 [45]|: must /.test(line)) return 'bad';
  return /in force on/.test(line) ? 'good' : 'printed';
}

function content(text: string, kind: Row['kind']): string {
  if (kind === 'typed' && text.startsWith('$ ')) return `<tspan class="prompt">$</tspan> ${escaped(text.slice(2))}`;
  if (!/^(?:\d{3} ?)+$/.test(text)) return escaped(text);
  return text.replace(/\d{3}/g, (status) => `<tspan class="${status < '400' ? 'good' : 'bad'}">${status}</tspan>`);
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

const STYLE = `
svg{--paper:#fbfbfa;--edge:#d5d9de;--ink:#4a5361;--typed:#12161c;--prompt:#0a7d4f;--good:#0a6b45;--bad:#b4300b}
@media (prefers-color-scheme:dark){svg{--paper:#14181e;--edge:#363d47;--ink:#aab4c0;--typed:#f2f5f8;--prompt:#4cc38a;--good:#6fd3a3;--bad:#ff9a70}}
.window{fill:var(--paper);stroke:var(--edge)}.bar{stroke:var(--edge)}.dot{fill:var(--edge)}
text{font:${FONT}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;white-space:pre;fill:var(--ink);animation:come .01s backwards}
.title{animation:none;font-size:12px}.typed{fill:var(--typed);font-weight:600}.prompt{fill:var(--prompt)}.good{fill:var(--good)}.bad{fill:var(--bad)}
@keyframes come{from{visibility:hidden}}
@media (prefers-reduced-motion:reduce){text{animation:none}}
`;
