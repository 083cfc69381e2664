import type { ErrorObject, ValidateFunction } from 'ajv';
import { Validator } from '@seriousme/openapi-schema-validator';
import { printPointer, quoted, type Pointer } from './loss.ts';

export type Version = '2.0' | '3.0' | '3.1' | '3.2';

/** Something in a document that its own specification does not allow. */
export interface Invalid {
  readonly pointer: string;
  readonly rule: string;
}

const MAX_LISTED = 10;

/** A method of the class that its types leave out. Its `validate` also copies the document to look for references that it cannot follow. */
interface Compiled {
  getAjvValidator(version: Version): ValidateFunction;
}

/**
 * What the specification's schema of that version says against a document: the first of it. With `all`, which costs time and
 * memory for each fault, up to ten.
 */
export function invalidIn(document: unknown, version: Version, all: boolean): readonly Invalid[] {
  const check = checkOf(version, all);
  if (check(document) === true) return [];
  const found = (check.errors ?? []).filter((error) => !isNoise(error));
  const deepest = found.filter(
    ({ instancePath }) => !found.some((other) => other.instancePath.startsWith(`${instancePath}/`)),
  );
  const lines = new Map<string, Invalid>();
  for (const error of deepest.length > 0 ? deepest : (check.errors ?? [])) {
    if (lines.size === (all ? MAX_LISTED : 1)) break;
    const one = { pointer: printPointer(pointerOf(error.instancePath)), rule: ruleOf(error) };
    lines.set(`${one.pointer} ${one.rule}`, one);
  }
  return [...lines.values()];
}

const checks = new Map<string, ValidateFunction>();

/** Compiling a schema takes a tenth of a second. */
function checkOf(version: Version, all: boolean): ValidateFunction {
  const key = `${version} ${all}`;
  const known = checks.get(key);
  if (known !== undefined) return known;
  const validator = new Validator({ allErrors: all, validateFormats: false, logger: false }) as unknown as Compiled;
  const check = validator.getAjvValidator(version);
  checks.set(key, check);
  return check;
}

/** Of alternatives each says why it is not the one. */
function isNoise({ keyword, params, propertyName }: ErrorObject): boolean {
  return (
    propertyName !== undefined ||
    keyword === 'oneOf' ||
    keyword === 'anyOf' ||
    keyword === 'if' ||
    keyword === 'not' ||
    (keyword === 'required' && (params as { missingProperty?: unknown }).missingProperty === '$ref')
  );
}

function pointerOf(instancePath: string): Pointer {
  return instancePath
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function ruleOf({ keyword, message = 'is not valid', params }: ErrorObject): string {
  const named = params as Readonly<Record<string, unknown>>;
  switch (keyword) {
    case 'required':
      return `must have a field ${quoted(named['missingProperty'])}`;
    case 'additionalProperties':
      return `must not have a field ${quoted(named['additionalProperty'])}`;
    case 'unevaluatedProperties':
      return `must not have a field ${quoted(named['unevaluatedProperty'])}`;
    case 'propertyNames':
      return `must not have a field ${quoted(named['propertyName'])}`;
    case 'enum':
      return `must be one of ${(named['allowedValues'] as unknown[]).map(String).join(', ')}`;
    case 'const':
      return `must be ${quoted(named['allowedValue'])}`;
    case 'type':
      return `must be ${[named['type']].flat().join(' or ')}`;
    default:
      return message.replace('NOT', 'not');
  }
}
