import { z } from 'zod';

/**
 * A mapping from names. Absent, empty and `name:` with nothing after it are all the same here, because nobody who deletes
 * the last entry thinks of deleting the line above it.
 */
export function named<K extends z.ZodString, V extends z.ZodType>(key: K, value: V, description: string) {
  return z
    .record(key, value)
    .nullish()
    .transform((entries): z.output<z.ZodRecord<K, V>> => entries ?? ({} as z.output<z.ZodRecord<K, V>>))
    .meta({ description });
}

/** A list in which nothing means empty. */
export function listed<V extends z.ZodType>(item: V, description: string) {
  return z
    .array(item)
    .nullish()
    .transform((items): z.output<V>[] => items ?? [])
    .meta({ description });
}

/** A list that, where it is given, says something. */
export function filled<V extends z.ZodType>(item: V, rule: string, description: string) {
  return z.array(item).min(1, { error: rule }).meta({ description });
}
