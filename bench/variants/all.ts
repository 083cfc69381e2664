import type { Variant } from '../variant.ts';
import { floor } from './floor.ts';
import { lua } from './lua.ts';
import { native } from './native.ts';
import { service } from './service.ts';
import { mesh } from './mesh.ts';
import { tollgate } from './tollgate.ts';

/** Every variant, in the order of the table. A new one is another entry in one of these files, or a new file here. */
export const allVariants: readonly Variant[] = [...floor, ...tollgate, ...mesh, ...native, ...lua, ...service];
