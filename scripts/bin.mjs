#!/usr/bin/env node
// The sources are TypeScript and run as they are: tsx strips the types while they load.
import { existsSync } from 'node:fs';

try {
  const { register } = await import('tsx/esm/api');
  register();
} catch (error) {
  if (error.code !== 'ERR_MODULE_NOT_FOUND' || !existsSync(new URL('./setup.mjs', import.meta.url))) throw error;
  console.error('tollgate: npm packages are missing; run: npm run setup');
  process.exit(1);
}
const { start } = await import('./cli/tollgate.ts');
await start();
