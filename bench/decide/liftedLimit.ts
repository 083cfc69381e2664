const MAX_CONFIG = [0x41, 0x80, 0x80, 0x80, 0x08];
/** `i32.const 134217727`, the largest constant with an encoding of the same length. */
const LIFTED = [0x41, 0xff, 0xff, 0xff, 0x3f];

/**
 * The module with a limit of 128 MiB instead of 16 MiB for the plugin config, to measure a million consumers, which no real config
 * can have. Only the constant differs.
 */
export function withLiftedLimit(module: Uint8Array): Uint8Array {
  const lifted = Buffer.from(module);
  const constant = Buffer.from(MAX_CONFIG);
  let found = 0;
  for (let at = lifted.indexOf(constant); at >= 0; at = lifted.indexOf(constant, at + 1)) {
    lifted.set(LIFTED, at);
    found++;
  }
  if (found === 0) throw new Error('the module has no limit of 16 MiB to lift');
  return lifted;
}
