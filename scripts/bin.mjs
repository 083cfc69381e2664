#!/usr/bin/env node
// An installed package holds the tool as JavaScript. In a checkout the sources run as they are: tsx strips the types while
// they load.
import { existsSync } from 'node:fs';

const source = new URL('./cli/tollgate.ts', import.meta.url);
const isCheckout = existsSync(source);
if (isCheckout) await stripTypes();
const { start } = await import(isCheckout ? source.href : new URL('../dist/cli/tollgate.js', import.meta.url).href);
await start();

async function stripTypes() {
  try {
    const { register } = await import('tsx/esm/api');
    register();
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    console.error('tollgate: npm packages are missing; run: npm run setup');
    process.exit(1);
  }
}
