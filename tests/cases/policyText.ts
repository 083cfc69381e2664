import { createHash } from 'node:crypto';
import { keySet } from '../../harness/envoy/token.ts';

export type Mapping = Record<string, unknown>;

const DIGEST_OF = 'digest-of ';
const KEY_SET_OF = 'key-set-of ';

/** JSON merge patch, RFC 7396: null removes, mappings merge, all else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMapping(patch)) return patch;
  const merged: Mapping = isMapping(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

/** The policy file's text, with each `digest-of KEY` and `key-set-of NAME` replaced. JSON is YAML, and keeps strings from being taken for dates. */
export function policyText(policy: Mapping): string {
  return JSON.stringify(policy, (_, value: unknown) => (typeof value === 'string' ? written(value) : value), 2);
}

/** The keys whose digests a policy holds: they must turn up nowhere else. */
export function keysOf(policy: unknown): string[] {
  if (typeof policy === 'string') return policy.startsWith(DIGEST_OF) ? [policy.slice(DIGEST_OF.length)] : [];
  if (typeof policy !== 'object' || policy === null) return [];
  return Object.values(policy).flatMap(keysOf);
}

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function written(value: string): unknown {
  if (value.startsWith(DIGEST_OF)) return digestOf(value);
  return value.startsWith(KEY_SET_OF) ? keySet(...value.slice(KEY_SET_OF.length).split(' ')) : value;
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text.slice(DIGEST_OF.length)).digest('hex')}`;
}
