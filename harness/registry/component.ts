import { delimiter, join } from 'node:path';
import { isExecutable } from '../../scripts/envoy/find.ts';
import { componentNames, type ComponentName } from '../components/component.ts';
import { findComponent } from '../components/find.ts';

const found = new Map<string, string>();

/** `skip` for tests that need these programs: false when they are there, otherwise the reason. In CI that is a failure. */
export async function lacking(...names: string[]): Promise<false | string> {
  const missing: string[] = [];
  for (const name of names) {
    const path = isOurs(name) ? await findComponent(name) : await onPath(name);
    if (path === null) missing.push(name);
    else found.set(name, path);
  }
  if (missing.length === 0) return false;
  const reason = `not here: ${missing.join(', ')}`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

/** Path of a program that `lacking` has found. */
export function component(name: string): string {
  const path = found.get(name);
  if (path === undefined) throw new Error(`nobody has asked for ${name}`);
  return path;
}

/** True for programs whose version the repository pins, or whose package it names. */
function isOurs(name: string): name is ComponentName {
  return componentNames.some((known) => known === name);
}

async function onPath(name: string): Promise<string | null> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name);
  }
  return null;
}
