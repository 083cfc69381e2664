import { MAX_KEY_SOURCES, MAX_OPERATION_SCOPES, SCHEMES } from '../contract/table.ts';
import { NO_SCHEME } from '../policy/schema/keySource.ts';
import { scope as scopeSchema } from '../policy/schema/operation.ts';
import { parsePolicy } from '../policy/check/checkPolicy.ts';
import type { Spot } from './documents.ts';
import { quoted } from './loss.ts';
import { below, isPlainFields, items, lose, member, members, type Reading, stringAt } from './spot.ts';

/** Where a key may be, as a policy writes it. */
export type KeySource =
  | { readonly header: string }
  | { readonly authorization: string }
  | { readonly basic: 'user' | 'password' }
  | { readonly query: string }
  | { readonly cookie: string };

/** What a caller needs. Without a key no scope is asked for. */
export interface Requirement {
  readonly isAnonymous: boolean;
  readonly scopes: readonly string[];
}

export const NOTHING: Requirement = { isAnonymous: true, scopes: [] };
const A_KEY: Requirement = { isAnonymous: false, scopes: [] };

const scopes = scopeSchema('');

/** The security schemes of a document, and where they have callers put their keys. */
export class Schemes {
  readonly #schemes: ReadonlyMap<string, Spot>;
  readonly #used = new Set<string>();

  private constructor(
    private readonly reading: Reading,
    schemes: ReadonlyMap<string, Spot>,
  ) {
    this.#schemes = schemes;
  }

  static async of(reading: Reading, root: Spot, isSwagger: boolean): Promise<Schemes> {
    const place = isSwagger ? below(root, 'securityDefinitions') : below(below(root, 'components'), 'securitySchemes');
    const schemes = new Map<string, Spot>();
    for (const scheme of members(reading, place)) {
      const found = await reading.documents.follow(scheme);
      if (found !== null) schemes.set(String(scheme.pointer.at(-1)), found);
    }
    return new Schemes(reading, schemes);
  }

  /**
   * What `security` of the document or of an operation asks for; null when a policy cannot ask for it, and the operation is better
   * left out than open. One alternative stands for all: whoever meets it meets the document's requirement too.
   */
  requirementOf(security: Spot): Requirement | null {
    if (!Array.isArray(security.value)) {
      lose(this.reading, security, `must be a list, so that a key is needed; found ${quoted(security.value)}`);
      return A_KEY;
    }
    const alternatives = items(this.reading, security);
    if (alternatives.length === 0) return NOTHING;
    const met = alternatives.map((alternative) => this.#alternative(alternative)).filter((one) => one !== null);
    if (met.length === 0) return null;
    const open = met.find(({ isAnonymous }) => isAnonymous);
    if (open !== undefined) return NOTHING;
    const [least] = [...met].sort((a, b) => a.scopes.length - b.scopes.length);
    const isLeast = met.every(({ scopes }) => least!.scopes.every((scope) => scopes.includes(scope)));
    if (!isLeast)
      lose(
        this.reading,
        security,
        `is met by other scopes too; a policy asks for all of one list: ${least!.scopes.join(', ')}`,
      );
    return least!;
  }

  #alternative(spot: Spot): Requirement | null {
    if (!isPlainFields(spot.value)) {
      lose(this.reading, spot, `must be a mapping; found ${quoted(spot.value)}`);
      return null;
    }
    const schemes = members(this.reading, spot);
    if (schemes.length === 0) return NOTHING;
    if (schemes.length > 1) lose(this.reading, spot, 'asks for several credentials at once; a policy takes one key');
    const found = new Set<string>();
    for (const scheme of schemes) {
      const name = String(scheme.pointer.at(-1));
      if (this.#schemes.has(name)) this.#used.add(name);
      else lose(this.reading, scheme, 'is no security scheme of the document; a key is needed');
      for (const item of items(this.reading, scheme)) {
        const scope = stringAt(this.reading, item);
        if (scope === undefined) continue;
        if (!scopes.safeParse(scope).success) {
          lose(this.reading, item, `is no scope that a policy could name, so nobody has it; found ${quoted(scope)}`);
          return null;
        }
        found.add(scope);
      }
    }
    if (found.size <= MAX_OPERATION_SCOPES) return { isAnonymous: false, scopes: [...found] };
    lose(this.reading, spot, `must ask for at most ${MAX_OPERATION_SCOPES} scopes; found ${found.size}`);
    return null;
  }

  /** Where keys may be, by the schemes that requirements have named so far. */
  keySources(): KeySource[] {
    const sources: KeySource[] = [];
    for (const [name, scheme] of this.#schemes) {
      if (!this.#used.has(name)) continue;
      const source = this.#sourceOf(scheme);
      if (source === null) continue;
      if (!isUsable(source)) {
        lose(
          this.reading,
          scheme,
          `is no place where a policy could look for a key; found ${quoted(Object.values(source)[0])}`,
        );
        continue;
      }
      if (sources.some((other) => JSON.stringify(other) === JSON.stringify(source))) continue;
      if (sources.length < MAX_KEY_SOURCES) sources.push(source);
      else {
        lose(this.reading, scheme, `is one place of a key too many: a policy looks in at most ${MAX_KEY_SOURCES}`);
        break;
      }
    }
    return sources;
  }

  #sourceOf(scheme: Spot): KeySource | null {
    const type = stringAt(this.reading, below(scheme, 'type'));
    switch (type) {
      case 'apiKey':
        return this.#apiKey(scheme);
      case 'basic':
        return this.#http(scheme, 'basic');
      case 'http':
        return this.#http(scheme, stringAt(this.reading, below(scheme, 'scheme')));
      case 'oauth2':
      case 'openIdConnect':
        lose(
          this.reading,
          scheme,
          'is about tokens of an authorization server, which are not checked: callers send a key as bearer token',
        );
        return { authorization: 'Bearer' };
      default:
        lose(this.reading, scheme, `is not checked: callers need a key; found type ${quoted(type)}`);
        return null;
    }
  }

  #apiKey(scheme: Spot): KeySource | null {
    const name = stringAt(this.reading, below(scheme, 'name'));
    const where = stringAt(this.reading, below(scheme, 'in'));
    if (name === undefined || name === '') {
      lose(this.reading, scheme, 'has no name; callers need a key where the policy looks for one');
      return null;
    }
    switch (where) {
      case 'query':
        return { query: name };
      case 'cookie':
        return { cookie: name };
      case 'header': {
        const header = name.toLowerCase();
        return header === 'authorization' ? { authorization: NO_SCHEME } : { header };
      }
      default:
        lose(this.reading, scheme, `must be in header, query or cookie; found ${quoted(where)}`);
        return null;
    }
  }

  #http(scheme: Spot, name: string | undefined): KeySource | null {
    const known = SCHEMES.find((one) => one.toLowerCase() === name?.toLowerCase());
    if (name?.toLowerCase() === 'basic') {
      lose(
        this.reading,
        scheme,
        'is about user names and passwords, which are not checked: callers send a key as user name',
      );
      return { basic: 'user' };
    }
    if (known === undefined) {
      lose(this.reading, scheme, `is not checked: callers need a key; found the HTTP scheme ${quoted(name)}`);
      return null;
    }
    const format = member(scheme.value, 'bearerFormat');
    if (typeof format === 'string' && /jwt/i.test(format))
      lose(this.reading, scheme, 'is about JSON Web Tokens, which are not checked: callers send a key as bearer token');
    return { authorization: known };
  }
}

/** A name that a document gives may be one of HTTP's own, or none at all. */
export function isUsable(source: KeySource): boolean {
  const { findings } = parsePolicy({
    policy: 'draft',
    keySources: [source],
    apis: { draft: { paths: ['/'], plans: [] } },
  });
  return !findings.some(({ severity, path }) => severity === 'error' && path[0] === 'keySources');
}
