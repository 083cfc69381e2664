import { plainScalar } from '../policy/yaml/document.ts';

/** A small YAML value to write into a policy. */
export type Value =
  string | true | { readonly fields: readonly RenderedField[] } | { readonly items: readonly Value[] };
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

/** The member on one line; `json` quotes every string. */
export function renderFlow(member: Member, json: boolean): string {
  return 'item' in member ? flowValue(member.item, json) : flowField(member.field, json);
}

/** The member's lines, indented by `indent` columns. */
export function renderBlock(member: Member, indent: number, style: BlockStyle): string[] {
  const lines = 'item' in member ? blockItem(member.item, style) : blockField(member.field, style);
  return lines.map((line) => ' '.repeat(indent) + line);
}

function blockField([name, value]: RenderedField, style: BlockStyle): string[] {
  const key = scalar(name, false);
  if (typeof value !== 'object') return [`${key}: ${flowValue(value, false)}`];
  const [inner, step] =
    'fields' in value
      ? [value.fields.flatMap((field) => blockField(field, style)), style.step]
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
  if (value === true) return 'true';
  if (typeof value === 'string') return scalar(value, json);
  if ('items' in value) return `[${value.items.map((item) => flowValue(item, json)).join(', ')}]`;
  const fields = value.fields.map((field) => flowField(field, json)).join(', ');
  return json ? `{${fields}}` : `{ ${fields} }`;
}

/** Unquoted only where every YAML reader, old ones included, takes it for a string. */
function scalar(text: string, json: boolean): string {
  const plain = /^[A-Za-z0-9][A-Za-z0-9._@:-]*$/.test(text) && !text.endsWith(':') && plainScalar(text) === text;
  const ambiguous = /^(?:[\d._:-]+|y|n|yes|no|on|off)$/i.test(text);
  return json || !plain || ambiguous ? JSON.stringify(text) : text;
}
