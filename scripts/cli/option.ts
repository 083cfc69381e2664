import { SBOM_FORMATS, type Annotations, type SbomFormat } from '../oci/index.ts';
import { UsageError } from './command.ts';

/** The value of a numeric option, or null when it is not given. */
export function wholeNumber(option: string, text: string | undefined, least: number, most: number): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new UsageError(`${option} is a number from ${least} to ${most}; found "${text}"`);
  return value;
}

/** `--sbom` alone means the first format. parseArgs has no options with an optional value. */
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

const KEY = /^[a-z0-9]+([./_-][a-z0-9]+)*$/;

/** `--annotation KEY=VALUE`, several times. An empty value removes the annotation. */
export function withAnnotations(annotations: Annotations, given: readonly string[]): Annotations {
  const result = { ...annotations };
  for (const text of given) {
    const at = text.indexOf('=');
    const key = text.slice(0, Math.max(at, 0));
    if (!KEY.test(key))
      throw new UsageError(
        `--annotation is KEY=VALUE with a key such as org.opencontainers.image.source; found "${text}"`,
      );
    if (at === text.length - 1) delete result[key];
    else result[key] = text.slice(at + 1);
  }
  return result;
}
