import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { CORE_SCHEMA, load } from 'js-yaml';
import { z } from 'zod';
import { jsonSchemaText } from '../../scripts/policy/schema/policy.ts';
import { matchesGolden } from './golden.ts';

const schema = JSON.parse(jsonSchemaText()) as z.core.JSONSchema.JSONSchema;
const validator = z.fromJSONSchema(schema);

function accepts(file: URL): boolean {
  // This validator's own integers end below 2^53.
  const text = readFileSync(file, 'utf8').replace(String(2 ** 53), String(2 ** 53 - 1));
  return validator.safeParse(load(text, { schema: CORE_SCHEMA })).success;
}

test('schema/policy.schema.json is current', () => {
  matchesGolden(jsonSchemaText(), new URL('../../schema/policy.schema.json', import.meta.url));
});

test('the JSON Schema takes short forms, and fields with nothing after them', () => {
  assert.ok(accepts(new URL('../../examples/petstore.policy.yaml', import.meta.url)));
  assert.ok(accepts(new URL('./compile/everything.policy.yaml', import.meta.url)));
});

test('the JSON Schema refuses nothing that check takes', () => {
  const folder = new URL('./warnings/', import.meta.url);
  for (const file of readdirSync(folder)) assert.ok(accepts(new URL(file, folder)), file);
});

test('the JSON Schema refuses wrong fields and forms', () => {
  for (const file of [
    'unknown-field',
    'policy-name',
    'quota-window',
    'key-digest-is-a-key',
    'when-header-number',
    'when-header-two-kinds',
    'key-source-no-kind',
    'quota-limit-fraction',
  ]) {
    assert.ok(!accepts(new URL(`./problems/${file}.yaml`, import.meta.url)), file);
  }
});

test('the JSON Schema describes every field', () => {
  const undescribed: string[] = [];
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const { properties } = node as { properties?: Record<string, { description?: string }> };
    for (const [name, field] of Object.entries(properties ?? {}))
      if (field.description === undefined) undescribed.push(`${path}.${name}`);
    for (const [name, value] of Object.entries(node)) walk(value, `${path}.${name}`);
  };
  walk(schema, '');
  assert.deepEqual(undescribed, []);
});

test('patterns of the JSON Schema work in editors, which read them as Unicode patterns', () => {
  for (const [, pattern] of jsonSchemaText().matchAll(/"pattern": ("(?:[^"\\]|\\.)*")/g))
    assert.doesNotThrow(() => new RegExp(JSON.parse(pattern!) as string, 'u'));
});
