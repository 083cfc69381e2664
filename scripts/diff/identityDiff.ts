import {
  isSameInAnyOrder,
  type ApiConfig,
  type PluginConfig,
  type Policy,
  type SubjectsConfig,
  type TokenConfig,
} from '../policy/index.ts';
import { listChange, type Difference, type Effect } from './difference.ts';

/** What differs in what proves a workload's certificate. */
export function workloadProofChange(old: PluginConfig, next: PluginConfig): Difference[] {
  if (old.workloadProof === next.workloadProof) return [];
  return next.workloadProof === 'listener'
    ? [
        {
          subject: 'policy',
          text: 'workloadProof rbac → listener: every certificate of a workload counts that a listener takes',
          effects: ['widens'],
        },
      ]
    : [
        {
          subject: 'policy',
          text: 'workloadProof listener → rbac: certificates count only where an RBAC filter has found them verified',
          effects: ['narrows'],
        },
      ];
}

/** What differs in the credentials that an API takes. Who sends two may be somebody else by their order. */
export function credentialChanges(old: ApiConfig, next: ApiConfig): { text: string; effects: Effect[] }[] {
  const [before, after] = [old.credentials ?? ['key'], next.credentials ?? ['key']];
  if (before.join() === after.join()) return [];
  const { added, removed } = listChange(before, after);
  return [
    {
      text: `credentials ${before.join(', ')} → ${after.join(', ')}`,
      effects: [
        ...(added.length > 0 ? (['widens'] as const) : []),
        ...(removed.length > 0 ? (['narrows'] as const) : []),
      ],
    },
  ];
}

/** What differs in the workloads that are a consumer. */
export function workloadDifferences(name: string, old: readonly string[], next: readonly string[]): Difference[] {
  const { added, removed } = listChange(old, next);
  const subject = `consumer ${name}`;
  return [
    ...added.map((workload): Difference => ({ subject, text: `is the workload ${workload}`, effects: ['widens'] })),
    ...removed.map((workload): Difference => ({
      subject,
      text: `is no longer the workload ${workload}`,
      effects: ['narrows'],
    })),
  ];
}

/** What differs in the issuers whose tokens count, as far as the module knows them. */
export function tokenDifferences(
  { tokens: old = [] }: PluginConfig,
  { tokens: next = [] }: PluginConfig,
): Difference[] {
  const { added, removed } = listChange(
    old.map(({ name }) => name),
    next.map(({ name }) => name),
  );
  const named = (tokens: readonly TokenConfig[], name: string): TokenConfig => tokens.find((one) => one.name === name)!;
  return [
    ...added.map((name): Difference => {
      const { issuer, audiences } = named(next, name);
      return {
        subject: subjectOf(name),
        text: `added: ${issuer}, for ${audienceText(audiences)}`,
        effects: ['widens'],
      };
    }),
    ...removed.map((name): Difference => ({
      subject: subjectOf(name),
      text: `removed: was ${named(old, name).issuer}`,
      effects: ['narrows'],
    })),
    ...next.flatMap((token) => {
      const former = old.find(({ name }) => name === token.name);
      return former === undefined ? [] : changesOf(former, token);
    }),
  ];
}

function subjectOf(name: string): string {
  return `token ${name}`;
}

function changesOf(old: TokenConfig, next: TokenConfig): Difference[] {
  const subject = subjectOf(next.name);
  const claim = (
    what: string,
    before: string | undefined,
    after: string | undefined,
    otherwise: string,
  ): Difference[] =>
    before === after
      ? []
      : [
          {
            subject,
            text: `${what} ${after === undefined ? otherwise : `in the claim ${after}`} (was: ${before === undefined ? otherwise : `in the claim ${before}`})`,
            effects: ['widens', 'narrows'],
          },
        ];
  return [
    ...(old.issuer === next.issuer
      ? []
      : [{ subject, text: `issuer ${old.issuer} → ${next.issuer}`, effects: ['widens', 'narrows'] as const }]),
    ...audienceChange(old, next),
    ...claim('the owner is', old.consumer ?? 'sub', next.consumer ?? 'sub', ''),
    ...claim('the plan is', old.plan, next.plan, "the consumer's"),
    ...claim('scopes are', old.scopes, next.scopes, "the consumer's"),
    ...(old.forward === next.forward
      ? []
      : [
          {
            subject,
            text: next.forward ? 'upstreams now see the token' : 'upstreams no longer see the token',
            effects: [],
          },
        ]),
  ];
}

/** None is any. */
function audienceChange(old: TokenConfig, next: TokenConfig): Difference[] {
  const subject = subjectOf(next.name);
  const [before, after] = [old.audiences, next.audiences];
  if (before === undefined || after === undefined) {
    if (before === after) return [];
    const text = `audiences ${audienceText(before)} → ${audienceText(after)}`;
    return [{ subject, text, effects: [after === undefined ? 'widens' : 'narrows'] }];
  }
  const { added, removed } = listChange(before, after);
  return [
    ...added.map((name): Difference => ({ subject, text: `audience ${name} added`, effects: ['widens'] })),
    ...removed.map((name): Difference => ({ subject, text: `audience ${name} removed`, effects: ['narrows'] })),
  ];
}

function audienceText(audiences: readonly string[] | undefined): string {
  return audiences?.join(', ') ?? 'any audience';
}

/** What differs in the keys with which tokens are verified, which the module does not know. Who signs with others is not let in. */
export function keySetDifferences({ tokens: old = {} }: Policy, { tokens: next = {} }: Policy): Difference[] {
  return Object.entries(next).flatMap(([name, { jwks }]): Difference[] => {
    const former = Object.hasOwn(old, name) ? old[name]!.jwks : undefined;
    if (former === undefined || isSameInAnyOrder({ jwks: former }, { jwks })) return [];
    return [
      {
        subject: subjectOf(name),
        text: `is verified by ${keySetText(jwks)} (was: ${keySetText(former)})`,
        effects: ['widens', 'narrows'],
      },
    ];
  });
}

function keySetText(jwks: string | { readonly keys: readonly object[] }): string {
  if (typeof jwks === 'string') return jwks;
  return `${jwks.keys.length} ${jwks.keys.length === 1 ? 'key' : 'keys'} in the policy`;
}

/** What differs in the tokens that are a consumer's. */
export function subjectDifferences(
  consumer: string,
  old: readonly SubjectsConfig[] = [],
  next: readonly SubjectsConfig[] = [],
): Difference[] {
  const { added, removed } = listChange(textsOf(old), textsOf(next));
  const subject = `consumer ${consumer}`;
  return [
    ...added.map((owner): Difference => ({ subject, text: `owns the tokens of ${owner}`, effects: ['widens'] })),
    ...removed.map((owner): Difference => ({
      subject,
      text: `no longer owns the tokens of ${owner}`,
      effects: ['narrows'],
    })),
  ];
}

function textsOf(tokens: readonly SubjectsConfig[]): string[] {
  return tokens.flatMap(({ issuer, subjects }) => subjects.map((subject) => `${subject} by ${issuer}`));
}
