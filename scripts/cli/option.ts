import { UsageError } from './command.ts';

/** The value of a numeric option, or null when it is not given. */
export function wholeNumber(option: string, text: string | undefined, least: number, most: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new UsageError(`${option} is a number from ${least} to ${most}; found "${text}"`);
  return value;
}
