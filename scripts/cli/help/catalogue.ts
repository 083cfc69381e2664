import type { Command } from '../command.ts';

/** Every command by its name, each loaded when it is asked for. */
export type Catalogue = Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<Command> }>>;

/** The usage of every command, in the catalogue's order. Loads them all, so only for what is about all of them. */
export async function usagesOf(catalogue: Catalogue): Promise<ReadonlyMap<string, string>> {
  const entries = Object.entries(catalogue).map(async ([name, { load }]): Promise<[string, string]> => [
    name,
    (await load()).usage,
  ]);
  return new Map(await Promise.all(entries));
}
