import { CORE_SCHEMA, load, mergeTag, YAMLException } from 'js-yaml';
import { OpenApiError } from './error.ts';

/** Deeper than any document that people write: schemas in schemas go to about 60. */
const MAX_DEPTH = 200;
/** GitHub's document, one of the largest, has 0.7 million. */
const MAX_VALUES = 8 * 1024 * 1024;
/** Merged keys (`<<`) are copies. */
const MAX_MERGED_KEYS = 100_000;
const MAX_ALIASES = 100_000;

/**
 * The plain value that a string holds, JSON or YAML. Anchors may stand for each other as long as what they stand for, counted
 * each time, stays within bounds. Messages never repeat the text.
 */
export function valueOf(text: string, name: string, kind = 'an OpenAPI document'): unknown {
  const value = parse(text.replace(/^\ufeff/, ''), name, kind);
  measure(value, name);
  return value;
}

function parse(text: string, name: string, kind: string): unknown {
  if (text.trim() === '') throw new OpenApiError(`${name}: must be ${kind}; the file is empty`);
  if (/^\s*[{[]/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      // YAML in braces, or a mistake whose line YAML's parser knows
    }
  }
  try {
    return load(text, {
      schema: CORE_SCHEMA.withTags(mergeTag),
      maxDepth: MAX_DEPTH,
      maxTotalMergeKeys: MAX_MERGED_KEYS,
      maxAliases: MAX_ALIASES,
    });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const line = error.mark === undefined ? '' : `:${error.mark.line + 1}`;
    throw new OpenApiError(`${name}${line}: must be valid JSON or YAML: ${reasonOf(error)}`);
  }
}

/** The parser's reason, without what it quotes: the file may be one that nobody meant to show. */
function reasonOf({ reason }: YAMLException): string {
  return reason
    .replace(/(: |[<"'`!]).*$/s, '')
    .trim()
    .toLowerCase();
}

/** Refuses what would be too large or too deep with every anchor written out, without writing it out. */
function measure(root: unknown, name: string): void {
  const stack: { readonly value: object; readonly depth: number }[] = [];
  let values = 0;
  const visit = (value: unknown, depth: number): void => {
    if (++values > MAX_VALUES) throw new OpenApiError(`${name}: must have at most ${MAX_VALUES} values`);
    if (typeof value !== 'object' || value === null) return;
    if (depth > MAX_DEPTH) throw new OpenApiError(`${name}: must not nest deeper than ${MAX_DEPTH} levels`);
    stack.push({ value, depth });
  };
  visit(root, 1);
  for (let top = stack.pop(); top !== undefined; top = stack.pop())
    for (const member of Object.values(top.value)) visit(member, top.depth + 1);
}
