import { plainScalar } from '../policy/yaml/document.ts';

/** A small YAML value to write into a policy. */
export type Value =
  | string
  | number
  | boolean
  | ({ readonly fields: readonly RenderedField[] } & Compact)
  | ({ readonly items: readonly Value[] } & Compact);

interface Compact {
  /** In braces or brackets on one line, also in a block, as long as that is short. */
  readonly isCompact?: boolean;
}

export type RenderedField = readonly [name: string, value: Value];

/** What is added to a list or to a mapping. */
export type Member = { readonly item: Value } | { readonly field: RenderedField };

export interface BlockStyle {
  /** Columns by which a mapping stands to the right of the field that holds it, and likewise a list. */
  readonly step: number;
  readonly listStep: number;
  /** Items of a list in braces on one line. */
  readonly compactItems: boolean;
}

/** A line of a block that is longer than this is written as several. */
const MOST_COLUMNS = 120;

/** A plain value, as JSON has it; its mappings in braces. */
export function rendered(value: unknown): Value {
  if (Array.isArray(value)) return { items: value.map(rendered), isCompact: true };
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value !== 'object' || value === null) return String(value);
  return { fields: Object.entries(value).map(([name, field]) => [name, rendered(field)] as const), isCompact: true };
}

/** The member on one line; `json` quotes every string. */
export function renderFlow(member: Member, json: boolean): string {
  return 'item' in member ? flowValue(member.item, json) : flowField(member.field, json);
}

/** The member's lines, indented by `indent` columns. */
export function renderBlock(member: Member, indent: number, style: BlockStyle): string[] {
  const lines =
    'item' in member ? blockItem(member.item, style) : blockField(member.field, style, MOST_COLUMNS - indent);
  return lines.map((line) => ' '.repeat(indent) + line);
}

function blockField([name, value]: RenderedField, style: BlockStyle, columns = 0): string[] {
  const key = OPERATION.test(name) ? name : scalar(name, false);
  if (typeof value !== 'object') return [`${key}: ${flowValue(value, false)}`];
  if (columns > 0 && value.isCompact === true) {
    const line = `${key}: ${flowValue(value, false)}`;
    if (line.length <= columns) return [line];
  }
  const [inner, step] =
    'fields' in value
      ? [value.fields.flatMap((field) => blockField(field, style, columns - style.step)), style.step]
      : [value.items.flatMap((item) => blockItem(item, style)), style.listStep];
  return [`${key}:`, ...inner.map((line) => ' '.repeat(step) + line)];
}

function blockItem(value: Value, style: BlockStyle): string[] {
  if (typeof value !== 'object' || 'items' in value || style.compactItems) return [`- ${flowValue(value, false)}`];
  return value.fields
    .flatMap((field) => blockField(field, style))
    .map((line, index) => (index === 0 ? '- ' : '  ') + line);
}

function flowField([name, value]: RenderedField, json: boolean): string {
  return `${scalar(name, json)}: ${flowValue(value, json)}`;
}

function flowValue(value: Value, json: boolean): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return scalar(value, json);
  if ('items' in value) return `[${value.items.map((item) => flowValue(item, json)).join(', ')}]`;
  if (value.fields.length === 0) return '{}';
  const fields = value.fields.map((field) => flowField(field, json)).join(', ');
  return json ? `{${fields}}` : `{ ${fields} }`;
}

/** What an operation matches: nothing in it means anything to YAML at the beginning of a line. */
const OPERATION = /^(?:[A-Z][A-Z,]* )?\/[A-Za-z0-9\-._~!$&'()+,=:@/{}]*(?<!:)$/;

/** Unquoted only where every YAML reader, old ones included, takes it for a string. */
function scalar(text: string, json: boolean): string {
  const plain =
    (/^[A-Za-z0-9][A-Za-z0-9._@:-]*$/.test(text) || /^\/[A-Za-z0-9._/-]*$/.test(text)) &&
    !text.endsWith(':') &&
    plainScalar(text) === text;
  const ambiguous = /^(?:[\d._:-]+|y|n|yes|no|on|off)$/i.test(text);
  return json || !plain || ambiguous ? JSON.stringify(text) : text;
}
