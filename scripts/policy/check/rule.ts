import type { z } from 'zod';
import type { Finding } from '../yaml/compose.ts';
import { fieldsAt } from '../schema/field.ts';
import { entryOf, isNull, type Node } from '../yaml/node.ts';
import type { Path } from './path.ts';
import { plainValue } from '../yaml/scalar.ts';
import { foundAt, isSafeName, quote } from './secret.ts';

/** More names than this are counted, not listed. */
const MAX_LISTED = 8;

type Issue = z.core.$ZodIssue;

/** What zod found wrong, in our words and with its place. One problem to a place: the first is the plainest. */
export function findingsOf(issues: readonly Issue[], root: Node): Finding[] {
  const findings = explainAll(issues, [], root);
  const places = new Set<string>();
  return findings.filter(({ path, offset, field }) => {
    // a mapping and its first field stand at one offset, at different depths
    const place = `${offset} ${path.length} ${field ?? ''}`;
    return !places.has(place) && places.add(place);
  });
}

/** Of a mapping with unknown fields, nothing is said about the number of its fields. */
function explainAll(issues: readonly Issue[], base: Path, root: Node): Finding[] {
  const place = (issue: Issue): string => JSON.stringify(issue.path);
  const surprising = new Set(issues.filter((issue) => issue.code === 'unrecognized_keys').map(place));
  return issues
    .filter((issue) => issue.code !== 'custom' || !surprising.has(place(issue)))
    .flatMap((issue) => explain(issue, base, root));
}

function explain(issue: Issue, base: Path, root: Node): Finding[] {
  const path = [...base, ...(issue.path as Path)];
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownFields(issue.keys, path, root);
    case 'invalid_key':
      return explain(issue.issues[0]!, path, root).map((finding) => ({
        ...finding,
        found: quote(String(path.at(-1))),
      }));
    case 'invalid_union':
      return explainUnion(issue, path, root);
    default:
      return [finding(issue, path, root)];
  }
}

function finding(issue: Issue, path: Path, root: Node): Finding {
  const spot = locate(root, path);
  if (spot.missing !== null)
    return {
      offset: spot.offset,
      path: path.slice(0, spot.depth),
      rule: `must have the field "${spot.missing}"`,
      field: spot.missing,
    };
  // A wrong kind of value says so before any rule about its content.
  const rule = issue.code === 'invalid_type' ? typeRule(issue, spot.node) : issue.message;
  const found = issue.code === 'invalid_type' ? foundAt(spot.node, path) : foundIn(spot.node, path);
  return { offset: spot.offset, path, rule, found };
}

/** What a rule about content found: of a mapping its fields, of a list its length. */
function foundIn(node: Node, path: Path): string | undefined {
  if (node.kind === 'scalar') return foundAt(node, path);
  if (node.kind === 'list') return node.items.length === 0 ? 'an empty list' : `${node.items.length}`;
  if (node.entries.length === 0) return 'an empty mapping';
  const names = node.entries.map((entry) => entry.key);
  return names.length <= MAX_LISTED && names.every(isSafeName) ? names.map(quote).join(', ') : `${names.length}`;
}

/** Quotes are what people get wrong: text that reads as a number without them, and numbers inside them. */
function typeRule(issue: Extract<Issue, { code: 'invalid_type' }>, node: Node): string {
  const { message } = issue;
  if (issue.expected === 'number')
    return node.kind === 'scalar' && node.quoted && typeof plainValue(node.text) === 'number'
      ? `${message}, without quotes`
      : message;
  if (message !== '') return message;
  return node.kind === 'scalar' && !isNull(node) ? 'must be a string; put it in quotes' : 'must be a string';
}

function unknownFields(keys: readonly string[], path: Path, root: Node): Finding[] {
  const { node } = locate(root, path);
  const rule = `must have no other fields than ${fieldsAt(path).join(', ')}`;
  return keys.map((field) => {
    const offset = entryOf(node, field)?.keyStart ?? root.start;
    return { offset, path, rule, field, ...(isSafeName(field) && { found: quote(field) }) };
  });
}

/** A value that may be short or long is judged by the form it was given in. */
function explainUnion(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path, root: Node): Finding[] {
  const form = issue.errors.find(
    (issues) => !issues.some((inner) => inner.code === 'invalid_type' && inner.path.length === 0),
  );
  if (form !== undefined) return explainAll(form, path, root);
  const spot = locate(root, path);
  const rule =
    spot.node.kind === 'scalar' && !isNull(spot.node)
      ? 'must be a string (put it in quotes) or a mapping'
      : 'must be a string or a mapping';
  return [{ offset: spot.offset, path, rule, found: foundAt(spot.node, path) }];
}

/** Messages of a schema that says nothing of its own. */
export function defaultRule(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'invalid_value')
    return `must be ${alternatives((issue.values as unknown[]).map((value) => `"${String(value)}"`))}`;
  if (issue.code !== 'invalid_type') return `must be valid (${issue.code})`;
  switch (issue.expected) {
    case 'object':
    case 'record':
      return 'must be a mapping';
    case 'array':
      return 'must be a list';
    // Which of the two it is depends on how the value stands in the file.
    case 'string':
      return '';
    default:
      return `must be a ${issue.expected}`;
  }
}

function alternatives(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}

interface Spot {
  readonly node: Node;
  readonly offset: number;
  /** Name of the field that is not there, and how deep the path holds. */
  readonly missing: string | null;
  readonly depth: number;
}

/** Where a path leads: the field's name in a mapping, the item in a list. */
export function locate(root: Node, path: Path): Spot {
  let node = root;
  let offset = root.start;
  for (const [depth, segment] of path.entries()) {
    if (node.kind === 'list') {
      const item = node.items[segment as number];
      if (item === undefined) break;
      node = item;
      offset = item.start;
    } else {
      const entry = entryOf(node, String(segment));
      if (entry === undefined) return { node, offset, missing: String(segment), depth };
      node = entry.value;
      offset = entry.keyStart;
    }
  }
  return { node, offset, missing: null, depth: path.length };
}
