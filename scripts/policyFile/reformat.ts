import { PolicyFileError } from './error.ts';
import { formatPolicy } from './format.ts';
import { policyText } from '../file/openPolicy.ts';
import { placeOf, replaceFile } from '../file/replaceFile.ts';
import { inTurn } from '../file/turn.ts';

/** Somebody who saves the file at every moment: then it is better to say so than to go on. */
const MOST_ATTEMPTS = 8;

/** Formats a policy file in its place; true when it was changed. A file that is formatted already is not touched. */
export async function reformat(file: string, signal: AbortSignal): Promise<boolean> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const before = await policyText(file);
    const after = formatPolicy(before, file);
    if (after === before) return false;
    const place = await placeOf(file);
    if (await inTurn(place, signal, () => replaceFile(place, { before, after }, signal))) return true;
  }
  throw new PolicyFileError(
    `${file}: was changed by somebody else each of the ${MOST_ATTEMPTS} times it was read; nothing was written`,
  );
}
