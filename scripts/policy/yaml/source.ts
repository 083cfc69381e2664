import { EVENT_ID, YAMLException, parseEvents, type Event } from 'js-yaml';
import { compose, type Finding } from './compose.ts';
import { indentRule } from './indent.ts';
import type { Node } from './node.ts';

/** Deepest nesting of a YAML policy; a real one goes to 10. */
const MAX_DEPTH = 24;

/** The parser's words for what is mostly another mistake. */
const PLAINER = new Map([
  ['deficient indentation', 'indented too little, or a bracket or quote before it is not closed'],
  [
    'missed comma between flow collection entries',
    'a comma is missing, or a string needs quotes: one with {, }, [ or ] in it, or with @, `, %, |, > or # at its beginning',
  ],
  ['bad indentation of a mapping entry', 'indented wrongly, or a string with ": " in it that needs quotes'],
]);

/** What the parser says of lines that fit into no block above them. */
const OF_INDENTATION = new Set([
  'bad indentation of a mapping entry',
  'bad indentation of a sequence entry',
  'end of the stream or a document separator is expected',
]);

/** A policy file's text, read as YAML. */
export interface Source {
  /** Absent when the text is no YAML at all. */
  readonly root: Node | null;
  readonly findings: readonly Finding[];
}

/**
 * Reads one YAML document. A policy is data: anchors, aliases and tags are refused, which also leaves nothing to blow up.
 */
export function readSource(text: string): Source {
  const nul = text.indexOf('\0');
  if (nul >= 0) return refusal(nul, 'must not hold a NUL byte');
  let events: Event[];
  try {
    events = parseEvents(text, { maxDepth: MAX_DEPTH });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const offset = error.mark?.position ?? 0;
    return refusal(
      offset,
      yamlRule(error.reason, () => indentRule(text, offset)),
    );
  }
  if (events.length === 0) return refusal(0, 'must hold a policy; the file is empty');
  return compose(text, events, events.filter((event) => event.type === EVENT_ID.DOCUMENT).length);
}

function refusal(offset: number, rule: string): Source {
  return { root: null, findings: [{ offset, path: [], rule }] };
}

/** The parser's reason, without the words of the file that it may quote. */
function yamlRule(reason: string, indent: () => string | null): string {
  if (reason.startsWith('nesting exceeded')) return `must not nest deeper than ${MAX_DEPTH} levels`;
  if (reason.startsWith('tab characters')) return 'must be indented with spaces, not tabs';
  const rule = OF_INDENTATION.has(reason) ? indent() : null;
  if (rule !== null) return `must be valid YAML: ${rule}`;
  return `must be valid YAML: ${PLAINER.get(reason) ?? reason.replace(/(: |").*$/s, '').trim()}`;
}
