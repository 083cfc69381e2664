const RULES: Readonly<Record<string, string>> = {
  EACCES: 'permission denied; it is replaced by a new file, so its folder must be writable too',
  EPERM: 'not permitted; it is replaced by a new file, so its folder must be writable too',
  EROFS: 'its file system is read-only',
  ENOSPC: 'no space is left on its disk',
  EDQUOT: 'the quota of its disk is used up',
  EFBIG: 'the file would be larger than is allowed',
  EBUSY: 'it is mounted by itself, as a container does with a single file; mount its folder instead',
};

/** Why a file could not be written, in words. */
export function writeRule(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return `cannot be written: ${(code !== undefined && RULES[code]) || code || String(error)}`;
}
