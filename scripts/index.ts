/** The library: what docs/library.md goes through. Each subject has a sub-path of its own too, with more in it. */
export {
  checkPolicy,
  compilePolicy,
  parsePolicy,
  readPolicy,
  readPolicyFiles,
  validPolicy,
  validPolicyFiles,
  type Finding,
  type LoadResult,
  type ParsedPolicy,
  type Policy,
  type PluginConfig,
  type PolicyText,
  type Problem,
  type ValidPolicy,
} from './policy/index.ts';
export { emitResources, type EmitOptions, type EmittedFile } from './istio/index.ts';
export { digestKey, inspectKey, issueKey, type IssuedKey } from './key/index.ts';
