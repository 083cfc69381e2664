import type { Attack } from '../form.ts';
import { registry } from './registry.ts';
import { resets } from './resets.ts';

/** In the order in which they run: the worst that was ever found first. */
export const allAttacks: readonly Attack[] = [resets, registry];
