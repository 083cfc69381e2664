/** A change of a text: at `offset`, `remove` characters give way to `insert`. */
export interface Edit {
  readonly offset: number;
  readonly remove: number;
  readonly insert: string;
}

/** The text after all edits; offsets are those of the text before. Edits must not overlap. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  let result = text;
  for (const { offset, remove, insert } of [...edits].sort((a, b) => b.offset - a.offset)) {
    result = result.slice(0, offset) + insert + result.slice(offset + remove);
  }
  return result;
}
