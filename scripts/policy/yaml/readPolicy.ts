import { judge, MAX_POLICY_BYTES, safeRule } from '../check/checkPolicy.ts';
import { withTwin, type Remark } from '../check/draft.ts';
import { PolicyProblems, type Problem, censor, LEAK_RULE, leaksIn, printPath, shownAt } from '../problem.ts';
import type { Policy } from '../schema/policy.ts';
import { EMPTY_RULE, entryOf, readDocument, type Node, type TextProblem } from './document.ts';
import { Lines } from './text.ts';

/** Nobody reads more at once, and a file of another kind has 100,000. The rest is counted. */
export const MAX_LISTED = 100;

export interface LoadResult {
  /** Null when there are problems. */
  readonly policy: Policy | null;
  /** In the order of the file, the first of them. */
  readonly problems: Problem[];
  /** How many more problems there are. */
  readonly more: number;
  /** False: there may be yet more, in lists too long to look at every item. */
  readonly isCounted: boolean;
  /** Of a policy without problems only. */
  readonly warnings: Problem[];
  readonly moreWarnings: number;
}

/** A policy without problems, and what its author hardly meant. */
export interface ValidPolicy {
  readonly policy: Policy;
  /** In the order of the file, the first of them. */
  readonly warnings: readonly Problem[];
  readonly moreWarnings: number;
}

/** The policy in YAML; throws PolicyProblems that names every problem when it has any. */
export function validPolicy(text: string, fileName: string, nowSeconds?: number): ValidPolicy {
  const result = readPolicy(text, fileName, nowSeconds);
  if (result.policy === null) throw new PolicyProblems(result);
  return { policy: result.policy, warnings: result.warnings, moreWarnings: result.moreWarnings };
}

/**
 * Reads a policy's text, YAML or JSON; `fileName` is only for messages, `nowSeconds` (since 1970) for warnings about the past.
 * What is found in the value is told with line and column; duplicate names, anchors and the like are only here.
 */
export function readPolicy(text: string, fileName: string, nowSeconds: number = Date.now() / 1000): LoadResult {
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_POLICY_BYTES) {
    const rule = `must have at most ${MAX_POLICY_BYTES} bytes; found ${bytes}`;
    return refused([{ file: fileName, line: 0, column: 0, path: '', rule }], 0, true);
  }
  const { root, problems, aliases } = readDocument(text);
  const leaks = leaksIn(text).map((offset): TextProblem => ({ offset, path: [], rule: LEAK_RULE }));
  const print = new Printer(text, fileName);
  if (root === null || (root.kind === 'scalar' && root.value === null)) {
    const empty: TextProblem[] = root === null ? [] : [{ offset: 0, path: [], rule: EMPTY_RULE }];
    return refused(...print.listed([...problems, ...empty, ...leaks]), true);
  }
  const { policy, remarks, isWhole } = judge(root.value, nowSeconds);
  const placed = remarks
    .map((remark) => ({ remark, spot: spotOf(root, remark) }))
    // an alias is nothing, and has said so
    .filter(({ spot }) => !aliases.has(spot.node))
    .map(({ remark, spot }) => print.placed(remark, spot, root));
  const texts = [...problems, ...leaks];
  if (policy === null || texts.length > 0)
    return refused(...print.listed(policy === null ? [...texts, ...placed] : texts), isWhole);
  const [warnings, moreWarnings] = print.listed(placed);
  return { policy, problems: [], more: 0, isCounted: true, warnings, moreWarnings };
}

function refused(problems: Problem[], more: number, isCounted: boolean): LoadResult {
  return { policy: null, problems, more, isCounted, warnings: [], moreWarnings: 0 };
}

interface Spot {
  readonly node: Node;
  /** Of the field's name in a mapping, of the item in a list. */
  readonly offset: number;
}

/** Where a remark points to, as far as its path leads. */
function spotOf(root: Node, { path, field }: Pick<Remark, 'path' | 'field'>): Spot {
  const spot = { node: root, offset: root.start };
  for (const segment of field === undefined ? path : [...path, field]) {
    const { node } = spot;
    const item = node.kind === 'list' ? node.items[segment as number] : undefined;
    const entry = entryOf(node, String(segment));
    if (item === undefined && entry === undefined) break;
    spot.node = item ?? entry!.value;
    spot.offset = entry?.keyStart ?? item!.start;
  }
  return spot;
}

/** Turns what was found into problems of a file. */
class Printer {
  readonly #lines: Lines;

  constructor(
    text: string,
    private readonly file: string,
  ) {
    this.#lines = new Lines(text);
  }

  /** What was found in the value, as its author wrote it. */
  placed({ path, rule, found, showsValue, twin }: Remark, { node, offset }: Spot, root: Node): TextProblem {
    const shown = showsValue && node.kind === 'scalar' ? shownAt(node.value, path, node) : found;
    const other = twin && this.#lines.lineOf(spotOf(root, { path: twin }).offset);
    return {
      offset,
      path,
      rule: other === undefined ? rule : withTwin(rule, `on line ${other}`),
      ...(shown !== undefined && { found: shown }),
    };
  }

  /** The first in the order of the file, ready to print, and how many there are beyond them. */
  listed(found: readonly TextProblem[]): [Problem[], number] {
    const first = [...found].sort((a, b) => a.offset - b.offset).slice(0, MAX_LISTED);
    return [first.map((one) => this.#problem(one)), found.length - first.length];
  }

  #problem({ offset, path, rule, found }: TextProblem): Problem {
    return {
      file: this.file,
      line: this.#lines.lineOf(offset),
      column: this.#lines.columnOf(offset),
      path: printPath(path),
      rule: safeRule(rule),
      ...(found !== undefined && { found: censor(found) }),
    };
  }
}
