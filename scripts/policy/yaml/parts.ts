import { judge } from '../check/checkPolicy.ts';
import { MAX_DEPTH, MAX_POLICY_BYTES } from '../check/plain.ts';
import type { Policy } from '../schema/policy.ts';
import { leaksIn } from '../secret.ts';
import { Bare, entryOf, excessOf, readDocument, type Mapping } from './document.ts';
import { validPolicy } from './readPolicy.ts';

/** Smaller policies are read as a whole. */
const LARGE_CHARACTERS = 1024 * 1024;
/** As much as is read of a large one at a time. */
const PART_CHARACTERS = 256 * 1024;

/** The policy that a string holds, without its warnings: they would need the places of everything. Throws PolicyProblems. */
export function policyIn(text: string, fileName: string): Policy {
  return inParts(text) ?? validPolicy(text, fileName).policy;
}

/** Null for a policy that is small, or has problems. */
function inParts(text: string): Policy | null {
  if (text.length < LARGE_CHARACTERS || Buffer.byteLength(text) > MAX_POLICY_BYTES || leaksIn(text).length > 0)
    return null;
  const value = readInParts(text, 'consumers', PART_CHARACTERS);
  return value === null ? null : judge(value, Date.now() / 1000).policy;
}

/**
 * The value of a large policy, read in parts that need little memory at a time: the parser's events of a policy with 100,000
 * consumers take 160 MB, its nodes 100. The top-level mapping `field` is read entry by entry, and nodes are let go. Null where
 * the text has any problem, or is written so that it cannot be cut safely: `readDocument` has the last word then.
 */
export function readInParts(text: string, field: string, partCharacters: number): unknown {
  const cut = cutOf(text, field, partCharacters);
  if (cut === null || excessOf(text) >= 0) return null;
  const rest = readDocument(text.slice(0, cut.start) + text.slice(cut.end));
  const place = entryOf(rest.root ?? undefined, field);
  if (rest.problems.length > 0 || place?.value.kind !== 'scalar' || place.keyStart !== cut.keyStart) return null;
  // an empty node: neither "null" nor a comment's "|" stands beside the field
  if (place.value.text !== '' || place.value.isQuoted) return null;
  const value: Record<string, unknown> = new Bare();
  for (const part of cut.parts) {
    const { root, problems } = readDocument(text.slice(...part), MAX_DEPTH - 1);
    if (problems.length > 0 || root?.kind !== 'mapping' || root.flow) return null;
    for (const { key, value: node } of root.entries) {
      if (key in value) return null;
      value[key] = node.value;
    }
  }
  return Object.assign((rest.root as Mapping).value, { [field]: value });
}

interface Cut {
  readonly keyStart: number;
  /** Of the lines below the field. */
  readonly start: number;
  readonly end: number;
  readonly parts: readonly (readonly [number, number])[];
}

/**
 * Where the block mapping of a top-level field can be cut: before lines that are indented as its first one. There no scalar
 * and no bracket of the entry above can go on, unless it is invalid, and then its part is invalid too. Null for what else may
 * begin so: `?`, `:` and `-`, and for tabs and lone CRs.
 */
export function cutOf(text: string, field: string, partCharacters = PART_CHARACTERS): Cut | null {
  const head = new RegExp(`^${field}:[ ]*(?:#.*)?\r?\n`, 'm').exec(text);
  if (head === null || /\r(?!\n)|^ *\t/m.test(text)) return null;
  const start = head.index + head[0].length;
  const parts: [number, number][] = [];
  const line = /^( *)(?:[?:-](?=[ \r\n])|([^ \r\n#]))/gm;
  line.lastIndex = start;
  let [from, end, indent] = [start, text.length, 0];
  for (let found = line.exec(text); found !== null; found = line.exec(text)) {
    const columns = found[1]!.length;
    if (columns === 0) {
      end = found.index;
      break;
    }
    if (indent === 0) indent = columns;
    if (columns < indent || (columns === indent && found[2] === undefined)) return null;
    if (columns > indent || found.index - from < partCharacters) continue;
    parts.push([from, found.index]);
    from = found.index;
  }
  return indent === 0 ? null : { keyStart: head.index, start, end, parts: [...parts, [from, end]] };
}
