import type { z } from 'zod';
import type { Path } from '../check/path.ts';
import { policySchema } from './policy.ts';

/** Names of the fields that the mapping at a path may have; none where it takes any name. */
export function fieldsAt(path: Path): string[] {
  let schemas: z.core.$ZodType[] = [policySchema];
  for (const segment of path) schemas = schemas.flatMap(contentOf).flatMap((schema) => memberOf(schema, segment));
  return schemas.flatMap(contentOf).flatMap((schema) => Object.keys((schema as z.ZodObject)._zod.def.shape ?? {}));
}

/** The schemas inside those that only add something: a default, a transformation, a choice. */
function contentOf(schema: z.core.$ZodType): z.core.$ZodType[] {
  const def = (schema as z.core.$ZodTypes)._zod.def;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
      return contentOf(def.innerType);
    case 'pipe':
      return contentOf(def.in);
    case 'union':
      return def.options.flatMap(contentOf);
    default:
      return [schema];
  }
}

function memberOf(schema: z.core.$ZodType, segment: string | number): z.core.$ZodType[] {
  const def = (schema as z.core.$ZodTypes)._zod.def;
  if (def.type === 'array') return [def.element];
  if (def.type === 'record') return [def.valueType];
  const member = def.type === 'object' && Object.hasOwn(def.shape, segment) ? def.shape[segment] : undefined;
  return member === undefined ? [] : [member];
}
