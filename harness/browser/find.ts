import { findComponent } from '../components/find.ts';
import { isExecutable } from '../../scripts/envoy/find.ts';

/** Chromium, or the Chrome that a machine has in its place; null without either. */
export async function findBrowser(env: NodeJS.ProcessEnv = process.env): Promise<string | null> {
  const chromium = await findComponent('chromium', env);
  if (chromium !== null) return chromium;
  const chrome = '/usr/bin/google-chrome';
  return (await isExecutable(chrome)) ? chrome : null;
}
