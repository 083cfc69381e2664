import { test } from 'node:test';
import { guestSources } from '../../scripts/build/contract.ts';
import { matchesGolden } from './golden.ts';

for (const [path, source] of Object.entries(guestSources())) {
  test(`${path} is what the table of the contract says`, () => {
    matchesGolden(source, new URL(`../../${path}`, import.meta.url));
  });
}
