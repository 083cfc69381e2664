import type { Mapping, Node } from '../policy/yaml/node.ts';
import { startOfLine } from '../policy/yaml/trivia.ts';

/** How a file is laid out, so that what is added to it looks like the rest. */
export interface Layout {
  readonly step: number;
  readonly listStep: number;
  readonly lineBreak: string;
}

const DEFAULT_STEP = 2;

export function layoutOf(text: string, root: Node): Layout {
  const steps = [...stepsOf(text, root)];
  return {
    step: steps.find(({ kind }) => kind === 'mapping')?.columns ?? DEFAULT_STEP,
    listStep: steps.find(({ kind }) => kind === 'list')?.columns ?? DEFAULT_STEP,
    lineBreak: /\r\n|\n/.exec(text)?.[0] ?? '\n',
  };
}

/** Columns to the left of an offset. */
export function columnOf(text: string, offset: number): number {
  return offset - startOfLine(text, offset);
}

function* stepsOf(text: string, node: Node): Generator<{ kind: 'mapping' | 'list'; columns: number }> {
  if (node.kind === 'scalar' || node.flow) return;
  if (node.kind === 'mapping') yield* stepsBelow(text, node);
  else for (const item of node.items) yield* stepsOf(text, item);
}

function* stepsBelow(text: string, mapping: Mapping): Generator<{ kind: 'mapping' | 'list'; columns: number }> {
  for (const { keyStart, value } of mapping.entries) {
    if (value.kind === 'scalar' || value.flow) continue;
    const columns = columnOf(text, value.start) - columnOf(text, keyStart);
    if (columns > 0 || value.kind === 'list') yield { kind: value.kind, columns: Math.max(columns, 0) };
    yield* stepsOf(text, value);
  }
}
