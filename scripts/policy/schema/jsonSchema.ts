import { z } from 'zod';
import { policySchema } from './policy.ts';

/** JSON Schema (draft 7, which editors know best) of a policy as a person writes it, short forms included. */
export function jsonSchema(): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(policySchema, { target: 'draft-7', io: 'input', reused: 'inline', override: asInteger });
}

/** The same as a file's text. */
export function jsonSchemaText(): string {
  return `${JSON.stringify(jsonSchema(), null, 2)}\n`;
}

/** Whole numbers are said with `multipleOf` in zod, because its own integers end below 2^53. */
function asInteger({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.type !== 'number' || jsonSchema.multipleOf !== 1) return;
  jsonSchema.type = 'integer';
  delete jsonSchema.multipleOf;
}
