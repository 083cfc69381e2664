import { SBOM_FORMATS, type SbomFormat } from '../oci/sbom.ts';
import { UsageError } from './command.ts';

/** The value of a numeric option, or null when it is not given. */
export function wholeNumber(option: string, text: string | undefined, least: number, most: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new UsageError(`${option} is a number from ${least} to ${most}; found "${text}"`);
  return value;
}

/** `--sbom` alone means the first format. parseArgs knows no option with a value that may be missing. */
export function withSbomFormat(args: readonly string[]): string[] {
  return args.flatMap((arg, at) =>
    arg === '--sbom' && !isFormat(args[at + 1]) ? [`--sbom=${SBOM_FORMATS[0]}`] : [arg],
  );
}

export function sbomFormat(text: string | undefined): SbomFormat | undefined {
  if (text === undefined || isFormat(text)) return text;
  throw new UsageError(`--sbom is ${SBOM_FORMATS.join(' or ')}; found "${text}"`);
}

function isFormat(text: string | undefined): text is SbomFormat {
  return SBOM_FORMATS.some((format) => format === text);
}
