import {
  COLLECTION_STYLE,
  EVENT_ID,
  SCALAR_STYLE,
  getScalarValue,
  type AliasEvent,
  type Event,
  type MappingEvent,
  type ScalarEvent,
  type SequenceEvent,
} from 'js-yaml';
import type { Entry, List, Mapping, Node, Scalar } from './node.ts';
import type { Path } from '../check/path.ts';
import { Lines } from './position.ts';
import { plainValue } from './scalar.ts';
import { isSafeName } from '../check/secret.ts';
import { skipTrivia } from './trivia.ts';
import type { Source } from './source.ts';

/** A problem that still knows its place as an offset. */
export interface Finding {
  readonly offset: number;
  readonly path: Path;
  readonly rule: string;
  readonly found?: string | undefined;
  /** The field below the path that it is about, where that is not there or not known. */
  readonly field?: string;
}

/** Longer than any name that means something: a Kubernetes label has 317 characters. */
const MAX_NAME_CHARACTERS = 512;

type NodeEvent = ScalarEvent | SequenceEvent | MappingEvent | AliasEvent;

/** Builds the nodes of the first document from the parser's events, which are flat and know nothing of ends. */
export function compose(text: string, events: readonly Event[], documents: number): Source {
  const composer = new Composer(text, events);
  let root: Node;
  try {
    root = composer.document();
  } catch (error) {
    if (!(error instanceof NameTooLong)) throw error;
    return {
      root: null,
      findings: [
        { offset: error.offset, path: [], rule: `must have field names of at most ${MAX_NAME_CHARACTERS} characters` },
      ],
    };
  }
  if (documents > 1)
    composer.findings.push({ offset: composer.nextDocument(root), path: [], rule: 'must be a single YAML document' });
  return { root, findings: composer.findings };
}

/** Ends the reading: such a name would stand in the path of everything below it. */
class NameTooLong extends Error {
  constructor(readonly offset: number) {
    super();
  }
}

class Composer {
  readonly findings: Finding[] = [];
  private readonly lines: Lines;
  private at = 1;

  constructor(
    private readonly text: string,
    private readonly events: readonly Event[],
  ) {
    this.lines = new Lines(text);
  }

  document(): Node {
    return this.node([], 0);
  }

  /** Offset of the text after the first document's content. */
  nextDocument(root: Node): number {
    return Math.min(skipTrivia(this.text, root.end), Math.max(this.text.length - 1, 0));
  }

  /** `from` is where an empty node stands, about which events say nothing. */
  private node(path: Path, from: number): Node {
    const event = this.events[this.at++] as NodeEvent;
    this.refuseProperties(event, path);
    switch (event.type) {
      case EVENT_ID.SCALAR:
        return this.scalar(event, from);
      case EVENT_ID.SEQUENCE:
        return this.list(event, path);
      case EVENT_ID.MAPPING:
        return this.mapping(event, path);
      default:
        return {
          kind: 'scalar',
          value: null,
          text: '',
          quoted: false,
          start: event.anchorStart - 1,
          end: event.anchorEnd,
        };
    }
  }

  private refuseProperties(event: NodeEvent, path: Path): void {
    const refuse = (offset: number, kind: string): void => {
      const sign = this.text[offset]!;
      this.findings.push({
        offset,
        path,
        rule: `must be in quotes if it is meant as a string: at its beginning "${sign}" makes it a YAML ${kind}, and a policy takes none`,
      });
    };
    if (event.type === EVENT_ID.ALIAS) refuse(event.anchorStart - 1, 'alias');
    else if (event.anchorStart >= 0) refuse(event.anchorStart - 1, 'anchor');
    if (event.type !== EVENT_ID.ALIAS && event.tagStart >= 0) refuse(event.tagStart, 'tag');
  }

  private scalar(event: ScalarEvent, from: number): Scalar {
    const text = getScalarValue(this.text, event);
    const quotes = event.style === SCALAR_STYLE.SINGLE_QUOTED || event.style === SCALAR_STYLE.DOUBLE_QUOTED ? 1 : 0;
    const quoted = event.style !== SCALAR_STYLE.PLAIN;
    const [start, end] = event.valueStart < 0 ? [from, from] : [event.valueStart - quotes, event.valueEnd + quotes];
    return { kind: 'scalar', value: quoted ? text : plainValue(text), text, quoted, start, end };
  }

  private list(event: SequenceEvent, path: Path): List {
    const flow = event.style === COLLECTION_STYLE.FLOW;
    const items: Node[] = [];
    let end = flow ? event.start + 1 : event.start;
    while (this.events[this.at]!.type !== EVENT_ID.POP) {
      const item = this.node([...path, items.length], flow ? end : skipTrivia(this.text, end) + 1);
      items.push(item);
      end = item.end;
    }
    this.at++;
    return { kind: 'list', flow, items, start: event.start, end: flow ? this.closing(end) : end };
  }

  private mapping(event: MappingEvent, path: Path): Mapping {
    const flow = event.style === COLLECTION_STYLE.FLOW;
    // `[a: 1]` holds a flow mapping without braces.
    const braces = flow && this.text[event.start] === '{';
    const entries: Entry[] = [];
    const seen = new Map<string, Entry>();
    let end = braces ? event.start + 1 : event.start;
    while (this.events[this.at]!.type !== EVENT_ID.POP) {
      const entry = this.entry(path, end);
      end = entry.value.end;
      if (entry.key === null) continue;
      this.refuseTwin(seen, entry, path);
      entries.push(entry);
    }
    this.at++;
    return { kind: 'mapping', flow, entries, start: event.start, end: braces ? this.closing(end) : end };
  }

  /** The next pair; its key is null when that is no text. */
  private entry(path: Path, from: number): Entry | (Omit<Entry, 'key'> & { key: null }) {
    const keyNode = this.node(path, from);
    if (keyNode.kind !== 'scalar')
      this.findings.push({ offset: keyNode.start, path, rule: 'must have strings as field names' });
    const key = keyNode.kind === 'scalar' ? keyNode.text : null;
    if (key !== null && key.length > MAX_NAME_CHARACTERS) throw new NameTooLong(keyNode.start);
    if (key === '__proto__')
      this.findings.push({
        offset: keyNode.start,
        path,
        rule: 'must have no field of this name',
        found: '"__proto__"',
      });
    const colon = skipTrivia(this.text, keyNode.end);
    const after = this.text[colon] === ':' ? colon + 1 : keyNode.end;
    return { key, keyStart: keyNode.start, keyEnd: keyNode.end, value: this.node([...path, key ?? ''], after) };
  }

  private refuseTwin(seen: Map<string, Entry>, entry: Entry, path: Path): void {
    const twin = seen.get(entry.key);
    if (twin === undefined) {
      seen.set(entry.key, entry);
      return;
    }
    const line = this.lines.lineOf(twin.keyStart);
    const place = isSafeName(entry.key) ? [...path, entry.key] : path;
    this.findings.push({
      offset: entry.keyStart,
      path: place,
      rule: `must be given once; it stands on line ${line} already`,
    });
  }

  /** End of a flow collection whose last member ends at `from`. */
  private closing(from: number): number {
    return skipTrivia(this.text, from, ',') + 1;
  }
}
