import { isSameInAnyOrder, type ApiConfig, type OperationConfig, type QuotaConfig } from '../policy/index.ts';
import { listChange, type Difference, type Effect } from './difference.ts';
import { lifecycleDifferences } from './lifecycleDiff.ts';
import { quotaChanges, UNLIMITED } from './planDiff.ts';

/** What differs in what an API lists. */
export function operationDifferences(old: ApiConfig, next: ApiConfig): Difference[] {
  const subject = `API ${next.name}`;
  const say = (text: string, effect: Effect): Difference => ({ subject, text, effects: [effect] });
  const isOpen = {
    old: old.operations === undefined || old.unlisted === 'allow',
    next: next.operations === undefined || next.unlisted === 'allow',
  };
  const differences: Difference[] = [];
  if (isOpen.old && !isOpen.next)
    differences.push(say('requests that match none of its operations are refused', 'narrows'));
  if (!isOpen.old && isOpen.next)
    differences.push(say('requests that match none of its operations pass as requests to the API', 'widens'));
  const [before, after] = [old, next].map(byPattern) as [Map<string, OperationConfig>, Map<string, OperationConfig>];
  const patterns = listChange([...before.keys()], [...after.keys()]);
  // what an added operation does while unlisted requests pass depends on what it asks for
  for (const pattern of patterns.added)
    differences.push({
      subject: `operation ${next.name} ${pattern}`,
      text: 'added',
      effects: isOpen.old ? asks(after.get(pattern)!) : ['widens'],
    });
  for (const pattern of patterns.removed)
    differences.push({
      subject: `operation ${next.name} ${pattern}`,
      text: 'removed',
      effects: isOpen.next ? [] : ['narrows'],
    });
  for (const [pattern, operation] of after) {
    const former = before.get(pattern);
    const own = `operation ${next.name} ${pattern}`;
    if (former !== undefined)
      differences.push(...changed(own, former, operation), ...lifecycleDifferences(own, former, operation));
  }
  return differences;
}

/** `GET,PUT /pets/{}`: by what it matches, because its name may change. */
export function byPattern({ operations = [] }: ApiConfig): Map<string, OperationConfig> {
  return new Map(
    operations.map((operation) => [
      `${[...(operation.methods ?? ['any method'])].sort().join(',')} ${operation.path}`,
      operation,
    ]),
  );
}

function asks({ plans, scopes, quotas, anonymous }: OperationConfig): Effect[] {
  if (anonymous === 'allow') return ['widens'];
  const isNarrow = plans !== undefined || scopes !== undefined || quotas !== undefined || anonymous === 'deny';
  return isNarrow ? ['narrows'] : [];
}

function changed(subject: string, old: OperationConfig, next: OperationConfig): Difference[] {
  const differences: Difference[] = [];
  const say = (text: string, ...effects: Effect[]): void => void differences.push({ subject, text, effects });
  if (old.name !== next.name) say(`${old.name} is now called ${next.name}`);
  if (!isSameInAnyOrder(old.plans, next.plans))
    say(
      `plans ${old.plans?.join(', ') ?? 'any'} → ${next.plans?.join(', ') ?? 'any'}`,
      ...listEffects(old.plans, next.plans),
    );
  if (!isSameInAnyOrder(old.scopes, next.scopes))
    // of scopes all are needed, of plans one
    say(
      `scopes ${old.scopes?.join(', ') ?? 'none'} → ${next.scopes?.join(', ') ?? 'none'}`,
      ...scopeEffects(old.scopes ?? [], next.scopes ?? []),
    );
  for (const { text, effects } of costChanges(old, next)) say(text, ...effects);
  const quotas = [old, next].map((operation) => operation.quotas ?? []) as [QuotaConfig[], QuotaConfig[]];
  // counters are known by the operation's name
  if (old.name !== next.name && quotas.every((list) => list.length > 0))
    say('its own quotas are counted under the new name', 'restarts');
  for (const { text, effects } of quotaChanges(...quotas).filter(({ text }) => text !== UNLIMITED))
    say(text, ...effects);
  if (old.anonymous !== next.anonymous) {
    const texts = [old, next].map(({ anonymous }) => anonymous ?? 'as the API');
    say(
      `anonymous ${texts.join(' → ')}`,
      ...(next.anonymous === 'allow' ? (['widens'] as const) : next.anonymous === 'deny' ? (['narrows'] as const) : []),
    );
  }
  return differences;
}

type Costing = Pick<OperationConfig, 'cost' | 'settlement'>;

/** What differs in what requests take from quotas, of an operation or of what an API does not list. */
export function costChanges(old: Costing, next: Costing): { text: string; effects: Effect[] }[] {
  const [was, is] = [costText(old), costText(next)];
  if (was === is) return [];
  const [before, after] = [costRange(old), costRange(next)];
  const effects: Effect[] = [
    ...(after.least > before.least || after.most > before.most ? (['narrows'] as const) : []),
    ...(after.least < before.least || after.most < before.most ? (['widens'] as const) : []),
  ];
  return [{ text: `cost ${was} → ${is}`, effects }];
}

function costText({ cost = 1, settlement }: Costing): string {
  if (settlement === undefined) return String(cost);
  const { header, most, successOnly } = settlement;
  return [
    String(cost),
    ...(header === undefined ? [] : [`settled by ${header}, at most ${most}`]),
    ...(successOnly ? ['nothing without success'] : []),
  ].join(', ');
}

/** Units that a request may come to cost. */
function costRange({ cost = 1, settlement }: Costing): { least: number; most: number } {
  const isOpen = settlement?.header !== undefined || settlement?.successOnly === true;
  return { least: isOpen ? 0 : cost, most: settlement?.most ?? cost };
}

function listEffects(old: readonly string[] | undefined, next: readonly string[] | undefined): Effect[] {
  if (next === undefined) return ['widens'];
  if (old === undefined) return ['narrows'];
  const { added, removed } = listChange(old, next);
  return [...(added.length > 0 ? (['widens'] as const) : []), ...(removed.length > 0 ? (['narrows'] as const) : [])];
}

function scopeEffects(old: readonly string[], next: readonly string[]): Effect[] {
  const { added, removed } = listChange(old, next);
  return [...(removed.length > 0 ? (['widens'] as const) : []), ...(added.length > 0 ? (['narrows'] as const) : [])];
}
