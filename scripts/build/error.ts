/** The module cannot be compiled, or is not the one that the package was made with. The message has the compiler's own words, or names the file. */
export class BuildError extends Error {
  override readonly name = 'BuildError';
}
