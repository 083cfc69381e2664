/** A value somewhere in a resource, by the steps that lead to it. */
export type Steps = readonly (string | number)[];

export interface Mutation {
  /** What was done, for the name of a failure: `spec.priority = "wrong"`. */
  readonly name: string;
  readonly object: unknown;
}

/** Every single value of a tree, with the steps to it. */
export function leaves(value: unknown, steps: Steps = []): Steps[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => leaves(item, [...steps, index]));
  if (value !== null && typeof value === 'object')
    return Object.entries(value).flatMap(([key, item]) => leaves(item, [...steps, key]));
  return [steps];
}

/** Every mapping key of a tree, with the steps to it. */
export function keys(value: unknown, steps: Steps = []): Steps[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => keys(item, [...steps, index]));
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]) => [[...steps, key], ...keys(item, [...steps, key])]);
}

/** A copy in which the value is of another type: a number in place of a string, a string in place of anything else. */
export function withWrongType(object: unknown, steps: Steps): Mutation {
  const copy = structuredClone(object);
  const { holder, last } = holderOf(copy, steps);
  const wrong = typeof holder[last] === 'string' ? 12345 : 'wrong';
  holder[last] = wrong;
  return { name: `${steps.join('.')} = ${JSON.stringify(wrong)}`, object: copy };
}

/** A copy in which a field has a name that nobody knows. */
export function withUnknownField(object: unknown, steps: Steps): Mutation {
  const copy = structuredClone(object);
  const { holder, last } = holderOf(copy, steps);
  holder[`${last}Misspelt`] = holder[last];
  delete holder[last];
  return { name: `${steps.join('.')} misspelt`, object: copy };
}

function holderOf(object: unknown, steps: Steps): { holder: Record<string | number, unknown>; last: string | number } {
  let holder = object as Record<string | number, unknown>;
  for (const step of steps.slice(0, -1)) holder = holder[step] as Record<string | number, unknown>;
  return { holder, last: steps[steps.length - 1] ?? '' };
}
