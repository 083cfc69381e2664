import { isDeepStrictEqual } from 'node:util';
import { MAX_NAME_BYTES } from '../contract/table.ts';
import type { Spot } from './documents.ts';
import {
  ALWAYS,
  COST,
  costAt,
  DEPRECATED,
  detailsAt,
  innermost,
  PLAN,
  plansAt,
  QUOTAS,
  quotasAt,
  SUNSET,
  timeAt,
} from './extension.ts';
import { quoted } from './loss.ts';
import { type Requirement, type Schemes } from './security.ts';
import { below, isPlainFields, lose, member, members, type Reading, stringAt } from './spot.ts';
import { templateOf } from './template.ts';

/** An operation of a policy, as it is written there. */
export interface WrittenOperation {
  readonly name?: string;
  readonly plans?: readonly string[];
  readonly scopes?: readonly string[];
  readonly cost?: number;
  readonly quotas?: Readonly<Record<string, unknown>>;
  readonly anonymous?: 'allow';
  readonly deprecated?: Readonly<Record<string, unknown>>;
}

/** An operation of a document, and where it stands there. */
export interface Found {
  readonly spot: Spot;
  readonly requirement: Requirement;
  readonly fields: WrittenOperation;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace', 'query'];
/** What a path item holds beside its operations. */
const OTHERS = new Set(['$ref', 'summary', 'description', 'servers', 'parameters', 'additionalOperations']);
const METHOD = /^[A-Z][A-Z0-9!#$%&'*+.^_`|~-]{0,31}$/;

/** Reads all operations: by what they match, such as `GET /pets/{id}`. */
export class Operations {
  readonly found = new Map<string, Found>();
  readonly #names = new Set<string>();
  /** By methods and template without the names of variables, which mean nothing. */
  readonly #keys = new Map<string, string>();

  constructor(
    private readonly reading: Reading,
    private readonly root: Spot,
    private readonly schemes: Schemes,
    /** What the document asks for where an operation does not say; null when a policy cannot ask for it. */
    private readonly usual: Requirement | null,
  ) {}

  async read(): Promise<void> {
    for (const path of members(this.reading, below(this.root, 'paths'))) {
      const name = String(path.pointer.at(-1));
      if (name.startsWith('x-')) continue;
      if (!name.startsWith('/')) lose(this.reading, path, 'must begin with "/"; it is left out');
      else await this.#readPath(path, name);
    }
  }

  async #readPath(path: Spot, name: string): Promise<void> {
    const item = await this.reading.documents.follow(path);
    if (item === null) return;
    if (!isPlainFields(item.value)) return lose(this.reading, item, `must be a mapping; found ${quoted(item.value)}`);
    if (item !== path && isPlainFields(path.value)) this.#loseSiblings(path);
    const operations = this.#operationsOf(item);
    if (operations.length === 0) return;
    const template = templateOf(this.reading, path, name);
    if (template === null) return;
    if (member(item.value, 'servers') !== undefined)
      lose(
        this.reading,
        below(item, 'servers'),
        "are servers of their own; the operations lie on the API's hosts and paths",
      );
    for (const [method, spot] of operations) this.#add(`${method} ${template}`, item, spot);
  }

  #loseSiblings(path: Spot): void {
    for (const sibling of members(this.reading, path))
      if (METHODS.includes(String(sibling.pointer.at(-1))))
        lose(this.reading, sibling, 'stands beside a reference and is left out');
  }

  #operationsOf(item: Spot): [string, Spot][] {
    const found: [string, Spot][] = [];
    for (const spot of members(this.reading, item)) {
      const name = String(spot.pointer.at(-1));
      if (METHODS.includes(name)) found.push([name.toUpperCase(), spot]);
      else if (!OTHERS.has(name) && !name.startsWith('x-'))
        lose(this.reading, spot, 'is no method that OpenAPI knows; it is left out');
    }
    for (const spot of members(this.reading, below(item, 'additionalOperations'))) {
      const name = String(spot.pointer.at(-1));
      if (METHOD.test(name)) found.push([name, spot]);
      else lose(this.reading, spot, 'is no method in upper case; it is left out');
    }
    return found;
  }

  #add(key: string, item: Spot, spot: Spot): void {
    if (!isPlainFields(spot.value)) return lose(this.reading, spot, `must be a mapping; found ${quoted(spot.value)}`);
    const security = below(spot, 'security');
    const requirement = security.value === undefined ? this.usual : this.schemes.requirementOf(security);
    if (requirement === null) return lose(this.reading, spot, 'is left out: a policy cannot ask for what it needs');
    if (member(spot.value, 'servers') !== undefined)
      lose(
        this.reading,
        below(spot, 'servers'),
        "are servers of its own; the operation lies on the API's hosts and paths",
      );
    const fields = this.#fieldsOf(item, spot);
    if (fields === null) return lose(this.reading, spot, 'is left out: a policy cannot ask for what it needs');
    const same = key.replace(/\{[^{}]*?(\.{3})?\}/g, '{$1}');
    const twin = this.#keys.get(same);
    if (twin === undefined) {
      this.#keys.set(same, key);
      this.found.set(key, { spot, requirement, fields });
    } else this.#join(twin, { spot, requirement, fields });
  }

  /** Two operations that are one in a policy ask for what both ask for. */
  #join(key: string, other: Found): void {
    const { spot, requirement, fields } = this.found.get(key)!;
    const isSame =
      isDeepStrictEqual(requirement, other.requirement) &&
      isDeepStrictEqual({ ...fields, name: null }, { ...other.fields, name: null });
    lose(
      this.reading,
      other.spot,
      `is the same operation of a policy as "${key}"${isSame ? '' : '; what both ask for is asked for'}`,
    );
    const plans = fields.plans && other.fields.plans?.filter((plan) => fields.plans!.includes(plan));
    const cost = Math.max(fields.cost ?? 1, other.fields.cost ?? 1);
    const joined = { ...other.fields, ...fields, ...(plans && { plans }), ...(cost !== 1 && { cost }) };
    if (plans?.length === 0) {
      lose(this.reading, other.spot, 'is left out: no plan may call both operations');
      this.found.delete(key);
      return;
    }
    this.found.set(key, {
      spot,
      fields: joined,
      requirement: {
        isAnonymous: requirement.isAnonymous && other.requirement.isAnonymous,
        scopes: [...new Set([...requirement.scopes, ...other.requirement.scopes])],
      },
    });
  }

  /** What an operation says of itself, its security aside; null where that would leave it more open than it is meant to be. */
  #fieldsOf(item: Spot, spot: Spot): WrittenOperation | null {
    const plan = innermost(PLAN, spot, item);
    const plans = plan === null ? undefined : plansAt(this.reading, plan);
    if (plans === null) return null;
    const cost = innermost(COST, spot, item, this.root);
    const units = cost === null ? undefined : costAt(this.reading, cost);
    const quotas = innermost(QUOTAS, spot, item);
    const limits = quotas === null ? undefined : quotasAt(this.reading, quotas);
    const name = this.#nameOf(spot);
    const deprecated = member(spot.value, 'deprecated') === true ? this.#deprecation(item, spot) : undefined;
    return {
      ...(name !== undefined && { name }),
      ...(plans && { plans }),
      ...(units !== undefined && units !== 1 && { cost: units }),
      ...(limits && { quotas: limits }),
      ...(deprecated && { deprecated }),
    };
  }

  /** OpenAPI says that an operation is deprecated and not since when, which callers are told: then it has always been. */
  #deprecation(item: Spot, spot: Spot): Readonly<Record<string, unknown>> {
    const places = [spot, item, this.root];
    const details = innermost(DEPRECATED, ...places);
    const given = details === null ? {} : detailsAt(this.reading, details);
    const end = innermost(SUNSET, ...places) ?? innermost('x-sunset', ...places);
    const sunset = end === null ? undefined : timeAt(this.reading, end);
    const fields: Readonly<Record<string, unknown>> = { ...(sunset !== undefined && { sunset }), ...given };
    if (fields.since !== undefined) return fields;
    lose(
      this.reading,
      below(spot, 'deprecated'),
      `has no date, so callers are told of ${ALWAYS}; a date in "${DEPRECATED}" is taken over`,
    );
    return { since: ALWAYS, ...fields };
  }

  /** `operationId`, in the characters that names of a policy have, if no other operation has it. */
  #nameOf(spot: Spot): string | undefined {
    const place = below(spot, 'operationId');
    const given = stringAt(this.reading, place);
    if (given === undefined) return undefined;
    const name = given
      .replace(/[^A-Za-z0-9._/-]+/g, '-')
      .replace(/^[^A-Za-z0-9_]+|[^A-Za-z0-9_]+$/g, '')
      .slice(0, MAX_NAME_BYTES)
      .replace(/[^A-Za-z0-9_]+$/, '');
    if (name === '' || this.#names.has(name)) {
      lose(
        this.reading,
        place,
        `is no name of its own in a policy, so methods and template are the name; found ${quoted(given)}`,
      );
      return undefined;
    }
    this.#names.add(name);
    if (name !== given) lose(this.reading, place, `is ${quoted(name)} in the policy; found ${quoted(given)}`);
    return name;
  }
}

/** True where no key is needed: who needs a plan or a scope needs one. */
export function isOpen({ plans }: WrittenOperation, { isAnonymous, scopes }: Requirement): boolean {
  return isAnonymous && plans === undefined && scopes.length === 0;
}

/** The operation as a policy writes it, below an API that is anonymous or not. */
export function written({ fields, requirement }: Found, isApiAnonymous: boolean): WrittenOperation {
  const { name, plans, cost, quotas, deprecated } = fields;
  return {
    ...(name !== undefined && { name }),
    ...(plans && { plans }),
    ...(requirement.scopes.length > 0 && { scopes: requirement.scopes }),
    ...(cost !== undefined && { cost }),
    ...(quotas && { quotas }),
    ...(isOpen(fields, requirement) && !isApiAnonymous && { anonymous: 'allow' as const }),
    ...(deprecated && { deprecated }),
  };
}
