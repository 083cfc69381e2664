import { z } from 'zod';
import { policySchema } from './policy.ts';

/** JSON Schema of the policy file as a person writes it, short forms included. Draft 7, which editors know best. */
export function jsonSchemaText(): string {
  const schema = z.toJSONSchema(policySchema, {
    target: 'draft-7',
    io: 'input',
    reused: 'inline',
    override: asInteger,
  });
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** Whole numbers are said with `multipleOf` in zod, because its own integers end below 2^53. */
function asInteger({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.type !== 'number' || jsonSchema.multipleOf !== 1) return;
  jsonSchema.type = 'integer';
  delete jsonSchema.multipleOf;
}
