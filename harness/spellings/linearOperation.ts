/*
 * Which operation takes a path, as plainly as it can be said: of all templates that match, the first by its segments' ranks. The
 * module's tree is held against it.
 */
export interface Listed {
  readonly name: string;
  /** `{}` is a variable, `{...}` the rest. */
  readonly template: string;
}

/** The operation's name; null for none; and whether a more lenient server would find another one. */
export interface Found {
  readonly name: string | null;
  readonly doubtful: boolean;
}

/** `rest` is the normalised path below the API's own. */
export function linearOperation(listed: readonly Listed[], rest: string): Found {
  const exact = best(listed, rest, false);
  return { name: exact, doubtful: best(listed, rest, true) !== exact };
}

function best(listed: readonly Listed[], rest: string, isLenient: boolean): string | null {
  const segments = segmentsOf(rest, isLenient);
  const ranked = listed.flatMap(({ name, template }) => {
    const ranks = ranksOf(segmentsOf(template, false), segments, isLenient);
    return ranks === null ? [] : [{ name, ranks }];
  });
  ranked.sort((a, b) => compare(a.ranks, b.ranks));
  return ranked[0]?.name ?? null;
}

/** A server that decodes twice ends the path at an escaped `?` or `#`. */
function segmentsOf(path: string, isLenient: boolean): string[] {
  const end = isLenient ? path.search(/%(?:3F|23)/) : -1;
  return (end < 0 ? path : path.slice(0, end)).split('/').filter((segment) => segment !== '');
}

/** How each segment is taken, the smaller the sooner; null when the template does not match. */
function ranksOf(template: readonly string[], segments: readonly string[], isLenient: boolean): number[] | null {
  const ranks: number[] = [];
  for (const [index, part] of template.entries()) {
    const segment = segments[index];
    if (segment === undefined) return null;
    if (part === '{...}') return [...ranks, Number.MAX_SAFE_INTEGER];
    const rank = rankOf(part, segment, isLenient);
    if (rank === null) return null;
    ranks.push(rank);
  }
  return template.length === segments.length ? ranks : null;
}

function rankOf(part: string, segment: string, isLenient: boolean): number | null {
  const [prefix, suffix] = part.split('{}');
  const forms = isLenient ? [segment, segment.replace(/;.*/s, '').toLowerCase()] : [segment];
  if (suffix === undefined) {
    const found = forms.findIndex((form, index) => form === (index === 0 ? part : part.toLowerCase()));
    return found < 0 ? null : found;
  }
  const around = prefix!.length + suffix.length;
  const fits = forms.some((form, index) => {
    const [before, after] = index === 0 ? [prefix!, suffix] : [prefix!.toLowerCase(), suffix.toLowerCase()];
    return form.length > around && form.startsWith(before) && form.endsWith(after);
  });
  return fits ? 1e6 - around * 1000 - prefix!.length : null;
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, rank] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    if (rank !== other) return rank - other;
  }
  return a.length - b.length;
}
