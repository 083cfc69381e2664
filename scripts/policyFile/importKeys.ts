import { digestKey, idInKey, inspectKey, unusableRule } from '../key/key.ts';
import { EMPTY_DIGEST } from '../policy/check/consumers.ts';
import { consumerNameRule, epochSeconds, type Key, LABEL, LABEL_RULE, type Policy } from '../policy/index.ts';
import { MAX_KEY_APIS } from '../contract/table.ts';
import { Names } from '../policy/check/draft.ts';
import { SCOPE, SCOPE_RULE } from '../policy/schema/operation.ts';
import { DIGEST, DIGEST_RULE } from '../policy/schema/policy.ts';
import { censor, leaksIn } from '../policy/secret.ts';
import { type Addition, editsToAdd, storedKey, type StoredKey, withKeys } from './addKeys.ts';
import { type Change, editPolicy, type FileEdits, type Guidance, tryEdit } from './change.ts';
import { freshId, idsOf } from './issue.ts';
import { fileForNew, fileOf, type OpenedPolicy, type PolicyFile } from './open.ts';
import type { Column, Row } from './rows.ts';
import { RowFindings } from './rows.ts';

export interface ImportRequest {
  /** What messages call the input. */
  readonly source: string;
  readonly rows: readonly Row[];
  /** The plan of new consumers whose rows name none. */
  readonly plan?: string | undefined;
  /** The file of a folder to which new consumers go. Default: the only one that has consumers. */
  readonly file?: string | undefined;
  /** Checks everything and writes nothing. */
  readonly isTrial: boolean;
}

export interface Imported {
  /** Numbers of keys added, of consumers that got some, and of consumers created. */
  readonly added: number;
  readonly consumers: number;
  readonly created: number;
  /** Rows whose key was already in the policy. */
  readonly unchanged: number;
  /** Added keys that have already expired. */
  readonly expired: number;
  /** Lines of keys that begin like ours but have a wrong checksum. */
  readonly mistyped: readonly number[];
  /** The policy after the import. */
  readonly policy: Policy;
}

/** Adds the keys of all rows to a policy, or none: rejects with RowProblems if any row is bad. */
export async function importKeys(
  file: string,
  request: ImportRequest,
  { signal, onStep }: Guidance,
): Promise<Imported> {
  let imported: Imported | null = null;
  const change = (open: OpenedPolicy): Change | null => {
    const { additions, ...counts } = judgeRows(open.policy, request, Date.now() / 1000);
    const expected = withKeys(open.policy, additions);
    imported = { ...counts, policy: expected };
    return additions.length === 0 ? null : { edits: editsIn(open, additions, request.file), expected };
  };
  if (request.isTrial) await tryEdit(file, change, onStep);
  else await editPolicy(file, signal, change, onStep);
  return imported!;
}

/** Keys of a consumer go where the consumer stands. */
function editsIn(open: OpenedPolicy, additions: readonly Addition[], wanted: string | undefined): FileEdits[] {
  const byFile = new Map<PolicyFile, Addition[]>();
  let forNew: PolicyFile | null = null;
  for (const addition of additions) {
    const { consumer } = addition;
    const known = fileOf(open, 'consumers', consumer);
    const file = known ?? (forNew ??= fileForNew(open, 'consumers', `consumer "${consumer}"`, wanted));
    const list = byFile.get(file) ?? [];
    if (list.length === 0) byFile.set(file, list);
    list.push(addition);
  }
  return [...byFile].map(([file, list]) => ({ file, edits: editsToAdd(file, list) }));
}

/** A row that is valid by itself, whatever the policy holds. */
interface Candidate {
  readonly row: Row;
  readonly consumer: string;
  readonly digest: string;
  readonly id: string | undefined;
  readonly from: string | undefined;
  readonly until: string | undefined;
  readonly apis: string[] | undefined;
  readonly scopes: string[] | undefined;
}

type Judged = Omit<Imported, 'policy'> & { readonly additions: readonly Addition[] };

function judgeRows(policy: Policy, { source, rows, plan }: ImportRequest, nowSeconds: number): Judged {
  const findings = new RowFindings(source);
  const apis = new Names(Object.keys(policy.apis));
  const candidates = rows.flatMap((row) => candidateOf(row, apis, findings) ?? []);
  const known = new KnownKeys(policy);
  refuseTwins(candidates, findings);
  refuseClearText(candidates, known, findings);
  const plans = plansOf(policy, candidates, plan, findings);
  const fresh = candidates.filter((candidate) => !isThere(candidate, known, findings));
  findings.throwIfAny();
  const additions = additionsOf(policy, fresh, plans);
  const keys = additions.flatMap((addition) => addition.keys);
  return {
    additions,
    added: keys.length,
    consumers: additions.length,
    created: additions.filter(({ consumer }) => !Object.hasOwn(policy.consumers, consumer)).length,
    unchanged: candidates.length - fresh.length,
    expired: keys.filter(({ until }) => until !== undefined && epochSeconds(until)! <= nowSeconds).length,
    mistyped: rows
      .filter(({ cells: { key } }) => key !== undefined && inspectKey(key) === 'mistyped')
      .map(({ line }) => line),
  };
}

/** Validates a row by itself, and the APIs that it names; null when something is wrong. */
function candidateOf(row: Row, known: Names, findings: RowFindings): Candidate | null {
  const { line, cells } = row;
  const before = findings.count;
  const must = (column: Column, rule: string | null): void => {
    if (rule !== null) findings.add(line, column, rule);
  };
  must('consumer', cells.consumer === undefined ? 'must be given' : consumerNameRule(cells.consumer));
  must('id', cells.id === undefined || LABEL.test(cells.id) ? null : LABEL_RULE);
  const digest = digestOf(cells, must);
  const [from, until] = (['from', 'until'] as const).map((column) => {
    const time = cells[column] === undefined ? undefined : timeOf(cells[column]);
    must(column, time === null ? TIME_RULE : null);
    return time ?? undefined;
  });
  if (from !== undefined && until !== undefined && epochSeconds(until)! <= epochSeconds(from)!)
    must('until', 'must be after "from"');
  const [apis, scopes] = [wordsOf(cells.apis), wordsOf(cells.scopes)];
  if (apis?.some((api) => !known.has(api))) must('apis', `must be APIs of the policy${known.hint}`);
  must('apis', (apis?.length ?? 0) > MAX_KEY_APIS ? `must be at most ${MAX_KEY_APIS} APIs` : null);
  must('scopes', scopes?.every((scope) => SCOPE.test(scope)) === false ? SCOPE_RULE : null);
  if (findings.count > before) return null;
  return { row, consumer: cells.consumer!, digest: digest!, id: cells.id, from, until, apis, scopes };
}

/** Each once. */
function wordsOf(cell: string | undefined): string[] | undefined {
  return cell === undefined ? undefined : [...new Set(cell.split(/\s+/))];
}

type Must = (column: Column, rule: string | null) => void;

function digestOf({ key, digest }: Row['cells'], must: Must): string | null {
  if (key !== undefined && digest !== undefined) must('digest', 'must not be given together with a key');
  else if (digest !== undefined)
    must(
      'digest',
      !DIGEST.test(digest) ? DIGEST_RULE : digest === EMPTY_DIGEST ? 'must not be the digest of an empty key' : null,
    );
  else must('key', key === undefined ? 'must be given, or a digest instead' : unusableRule(key));
  return digest ?? (key !== undefined && unusableRule(key) === null ? digestKey(key) : null);
}

const TIME_RULE = 'must be a time such as 2026-01-31T00:00:00Z, or a date such as 2026-01-31 (midnight UTC)';

/** A time in full, also for a date alone; null for anything else. */
function timeOf(text: string): string | null {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
  return epochSeconds(time) === null ? null : time;
}

/** Each key may be in one row only, and each id once per consumer. */
function refuseTwins(candidates: readonly Candidate[], findings: RowFindings): void {
  const [digests, ids] = [new Map<string, number>(), new Map<string, number>()];
  for (const { row, consumer, digest, id } of candidates) {
    const twin = digests.get(digest);
    if (twin === undefined) digests.set(digest, row.line);
    else findings.add(row.line, null, `must not repeat the key of line ${twin}`);
    if (id === undefined) continue;
    const name = JSON.stringify([consumer, id]);
    const other = ids.get(name);
    if (other === undefined) ids.set(name, row.line);
    else if (twin === undefined)
      findings.add(row.line, 'id', `must be unique for the consumer; line ${other} has the same id`);
  }
}

/** Keys of the policy by digest, and ids by consumer. */
class KnownKeys {
  readonly #owners = new Map<string, { readonly consumer: string; readonly key: Key }>();
  readonly #ids = new Map<string, ReadonlySet<string>>();

  constructor(policy: Policy) {
    for (const [consumer, { keys }] of Object.entries(policy.consumers)) {
      this.#ids.set(consumer, new Set(keys.map(({ id }) => id)));
      for (const key of keys) this.#owners.set(key.digest, { consumer, key });
    }
  }

  owner(digest: string): { readonly consumer: string; readonly key: Key } | undefined {
    return this.#owners.get(digest);
  }

  hasId(consumer: string, id: string): boolean {
    return this.#ids.get(consumer)?.has(id) === true;
  }
}

/** Mixed-up columns would put keys into the policy in clear text. So names that are known keys, or look more like a key than the key, are refused. */
function refuseClearText(candidates: readonly Candidate[], known: KnownKeys, findings: RowFindings): void {
  const digests = new Set(candidates.map(({ digest }) => digest));
  for (const { row, consumer } of candidates) {
    const { key, id } = row.cells;
    for (const [column, text] of [
      ['consumer', consumer],
      ['id', id],
    ] as const) {
      if (text === undefined) continue;
      const isKey = leaksIn(text).length > 0 || isKnown(text, digests, known);
      if (isKey) findings.add(row.line, column, 'must not be a key; this column is stored in clear text');
      else if (column === 'consumer' && key !== undefined && censor(key) === key && censor(text) !== text)
        findings.add(
          row.line,
          column,
          'must not look like a key while the key does not; if the columns are not swapped, import digests instead ("tollgate keys digest --lines")',
        );
    }
  }
}

function isKnown(text: string, digests: ReadonlySet<string>, known: KnownKeys): boolean {
  if (unusableRule(text) !== null) return false;
  const digest = digestKey(text);
  return digests.has(digest) || known.owner(digest) !== undefined;
}

const MAX_NAMED_PLANS = 8;

/** Plans of the consumers to create. An existing consumer keeps its plan; rows may repeat it. */
function plansOf(
  policy: Policy,
  candidates: readonly Candidate[],
  usual: string | undefined,
  findings: RowFindings,
): Map<string, string> {
  const plans = new Map<string, string>();
  const doubtful = new Map<string, number>();
  const names = Object.keys(policy.plans);
  const hint = names.length <= MAX_NAMED_PLANS ? ` (${names.join(', ')})` : '';
  for (const { row, consumer } of candidates) {
    const { plan } = row.cells;
    const there = Object.hasOwn(policy.consumers, consumer) ? policy.consumers[consumer] : undefined;
    if (plan !== undefined && !Object.hasOwn(policy.plans, plan))
      findings.add(row.line, 'plan', `must be a plan of the policy${hint}`);
    else if (there !== undefined) {
      if (plan !== undefined && plan !== there.plan)
        findings.add(
          row.line,
          'plan',
          'must be the plan that the consumer already has; import does not change existing consumers',
        );
    } else if (plan === undefined) {
      if (!doubtful.has(consumer)) doubtful.set(consumer, row.line);
    } else if ((plans.get(consumer) ?? plan) !== plan)
      findings.add(row.line, 'plan', 'must be the same in all rows of a new consumer');
    else plans.set(consumer, plan);
  }
  for (const [consumer, line] of doubtful) {
    if (plans.has(consumer)) continue;
    if (usual !== undefined) plans.set(consumer, usual);
    else
      findings.add(
        line,
        'consumer',
        'must be a consumer of the policy, or have a plan (or --plan) with which it can be created',
      );
  }
  return plans;
}

/** True when the policy already has the row's key; reports where the row contradicts the policy. */
function isThere(
  { row, consumer, digest, id, from, until, apis, scopes }: Candidate,
  known: KnownKeys,
  findings: RowFindings,
): boolean {
  const owner = known.owner(digest);
  if (owner === undefined) {
    if (id !== undefined && known.hasId(consumer, id))
      findings.add(row.line, 'id', 'must be a new id; the consumer already has a key with this one');
    return false;
  }
  const { key } = owner;
  if (owner.consumer !== consumer) {
    findings.add(row.line, 'consumer', 'must be the consumer that has this key in the policy; it is another one');
    return true;
  }
  if (id !== undefined && id !== key.id) findings.add(row.line, 'id', 'must be the id that the key has in the policy');
  for (const [column, time] of [
    ['from', from],
    ['until', until],
  ] as const)
    if (time !== undefined && epochSeconds(time) !== (key[column] === undefined ? null : epochSeconds(key[column])))
      findings.add(
        row.line,
        column,
        'must be the time that the key has in the policy; import does not change existing keys',
      );
  for (const [column, words] of [
    ['apis', apis],
    ['scopes', scopes],
  ] as const)
    if (words !== undefined && !isSameSet(words, key[column] ?? []))
      findings.add(
        row.line,
        column,
        `must be the ${column === 'apis' ? 'APIs' : column} that the key has in the policy; import does not change existing keys`,
      );
  return true;
}

function isSameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((word) => other.includes(word));
}

/** New keys by consumer, in the order of the rows. */
function additionsOf(policy: Policy, fresh: readonly Candidate[], plans: ReadonlyMap<string, string>): Addition[] {
  const taken = idsOf(policy);
  for (const { id } of fresh) if (id !== undefined) taken.add(id);
  const keys = new Map<string, StoredKey[]>();
  for (const { row, consumer, digest, id, from, until, apis, scopes } of fresh) {
    const list = keys.get(consumer) ?? [];
    if (list.length === 0) keys.set(consumer, list);
    const given = id ?? newIdFor(row.cells.key, taken);
    taken.add(given);
    list.push(storedKey(given, digest, { from, until, apis, scopes }));
  }
  return [...keys].map(([consumer, list]) => ({ consumer, plan: plans.get(consumer), keys: list }));
}

/** Keys that Tollgate issued contain their id. */
function newIdFor(key: string | undefined, taken: ReadonlySet<string>): string {
  const own = key === undefined ? null : idInKey(key);
  return own !== null && LABEL.test(own) && !taken.has(own) ? own : freshId(taken);
}
