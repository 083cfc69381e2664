import { identityHeadersOf, type Fact, type PluginConfig } from '../policy/index.ts';
import { listChange, type Difference } from './difference.ts';

const say = (text: string): Difference => ({ subject: 'policy', text, effects: [] });

/** What differs in what logs, upstreams and callers get to see of a decision. */
export function disclosureChange(old: PluginConfig, next: PluginConfig): Difference[] {
  return [
    ...accessLogChange(old, next),
    ...identityChange(old, next),
    ...rateLimitHeadersChange(old, next),
    ...keyExpiryChange(old, next),
  ];
}

function keyExpiryChange(old: PluginConfig, next: PluginConfig): Difference[] {
  const [was, is] = [expiryText(old), expiryText(next)];
  return was === is ? [] : [say(`holders of keys are told of their end ${is} (was: ${was})`)];
}

function expiryText({ keyExpiryWarning: warning }: PluginConfig): string {
  return warning === undefined ? 'never' : `${lengthText(warning.beforeSeconds)} before, in ${warning.header}`;
}

function lengthText(seconds: number): string {
  if (seconds % 86_400 === 0) return `${seconds / 86_400} d`;
  return seconds % 3600 === 0 ? `${seconds / 3600} h` : `${seconds / 60} min`;
}

function accessLogChange({ accessLog: old = {} }: PluginConfig, { accessLog: next = {} }: PluginConfig): Difference[] {
  const { added, removed } = listChange(old.fields ?? [], next.fields ?? []);
  return [
    ...(old.line === next.line ? [] : [say(`access logs ${next.line === false ? 'no longer get' : 'get'} the line`)]),
    ...added.map((field) => say(`access logs can show ${field}`)),
    ...removed.map((field) => say(`access logs can no longer show ${field}`)),
  ];
}

const FACT_WORDS: Readonly<Record<Fact, string>> = {
  consumer: 'the consumer',
  plan: 'the plan',
  route: 'the route',
  keyId: "the key's id",
};

function identityChange(old: PluginConfig, next: PluginConfig): Difference[] {
  const [before, after] = [identityHeadersOf(old), identityHeadersOf(next)];
  return (Object.keys(FACT_WORDS) as Fact[]).flatMap((fact) => {
    const [was, is] = [before[fact], after[fact]];
    if (was === is) return [];
    if (is === undefined) return [say(`upstreams no longer learn ${FACT_WORDS[fact]} (was in ${was})`)];
    return [
      say(`upstreams learn ${FACT_WORDS[fact]} from ${is} (was ${was === undefined ? 'not told' : `in ${was}`})`),
    ];
  });
}

function rateLimitHeadersChange(old: PluginConfig, next: PluginConfig): Difference[] {
  const [was, is] = [old.rateLimitHeaders ?? 'standard', next.rateLimitHeaders ?? 'standard'];
  return was === is ? [] : [say(`callers learn of their quotas by rateLimitHeaders ${was} → ${is}`)];
}
