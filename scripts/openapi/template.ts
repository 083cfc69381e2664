import type { Spot } from './documents.ts';
import { quoted } from './loss.ts';
import { lose, type Reading } from './spot.ts';

const LITERAL = /^[A-Za-z0-9\-._~!$&'()+,=:@]*$/;

/**
 * A path of a document as a template of a policy; null where no template stands for it. What the template takes beyond the path
 * is reported.
 */
export function templateOf(reading: Reading, spot: Spot, path: string): string | null {
  const bare = path.replace(/[?#].*$/s, '');
  if (bare !== path)
    lose(reading, spot, 'holds a query or a fragment, which a policy does not look at; only the path counts');
  const names = new Set<string>();
  const parts = bare === '/' ? [] : bare.slice(1).replace(/\/$/, '').split('/');
  const segments: string[] = [];
  for (const [index, part] of parts.entries()) {
    const segment = segmentOf(reading, spot, { part, isLast: index === parts.length - 1, names });
    if (segment === null) return null;
    segments.push(segment);
  }
  return `/${segments.join('/')}`;
}

interface Part {
  readonly part: string;
  readonly isLast: boolean;
  /** Of the variables before it. */
  readonly names: Set<string>;
}

function segmentOf(reading: Reading, spot: Spot, { part, isLast, names }: Part): string | null {
  const variables = [...part.matchAll(/\{([^{}]*)\}/g)];
  const [first] = variables;
  const last = variables.at(-1);
  if (first === undefined || last === undefined) return literalOf(reading, spot, part);
  // as other gateways and RFC 6570 write the rest of a path
  if (isLast && part === first[0] && /^(?:\+.+|.+[+*])$/.test(first[1]!))
    return `{${fresh(names, first[1]!.replace(/^\+|[+*]$/g, ''))}...}`;
  const prefix = literalOf(reading, spot, part.slice(0, first.index));
  const suffix = literalOf(reading, spot, part.slice(last.index + last[0].length));
  if (prefix === null || suffix === null) return null;
  const segment = `${prefix}{${fresh(names, first[1]!)}}${suffix}`;
  if (variables.length > 1)
    lose(
      reading,
      spot,
      `has ${variables.length} variables in a segment; the policy has one in their place: ${quoted(segment)}`,
    );
  return segment;
}

/** Escapes are compared in their decoded form, so that is how a template has them. */
function literalOf(reading: Reading, spot: Spot, text: string): string | null {
  const decoded = text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
  if (LITERAL.test(decoded)) return decoded;
  lose(
    reading,
    spot,
    `holds characters that no template of a policy can have, so what lies there is left out; found ${quoted(text)}`,
  );
  return null;
}

/** A name for a variable that the template does not have yet. */
function fresh(names: Set<string>, wanted: string): string {
  const base =
    wanted
      .replace(/[^A-Za-z0-9_.~-]+/g, '_')
      .replace(/\.+$/, '')
      .slice(0, 60) || 'value';
  let name = base;
  for (let number = 2; names.has(name); number++) name = `${base}${number}`;
  names.add(name);
  return name;
}
