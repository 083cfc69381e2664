/** One way to authenticate that a registry offers in `WWW-Authenticate`. */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names are lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(`\\s*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}))\\s*(?:,|$)`, 'y');
const SCHEME = new RegExp(`[\\s,]*(${TOKEN})(?:\\s+|\\s*(?=,)|$)`, 'y');
/** RFC 7235 lets a scheme carry one bare value instead of parameters. */
const TOKEN68 = /[A-Za-z0-9._~+/-]+=*\s*(?:,|$)/y;

/**
 * The challenges of a header (several headers are joined by commas), in order. Commas part both challenges and parameters;
 * a word with `=` after it is a parameter. What cannot be read ends the list: the header comes from outside.
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  for (;;) {
    const scheme = take(SCHEME)?.[1];
    if (scheme === undefined) return challenges;
    const parameters = new Map<string, string>();
    for (let match = take(PARAMETER); match !== null; match = take(PARAMETER)) {
      const value = match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '';
      const name = match[1]?.toLowerCase() ?? '';
      if (!parameters.has(name)) parameters.set(name, value);
    }
    if (parameters.size === 0 && !startsScheme(header, at)) take(TOKEN68);
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
  }
}

/** True when another challenge follows (`Negotiate, Basic realm="x"`) rather than this one's bare value. */
function startsScheme(header: string, at: number): boolean {
  return /^\s*,/.test(header.slice(at)) || new RegExp(`^${TOKEN}\\s+${TOKEN}\\s*=`).test(header.slice(at));
}
