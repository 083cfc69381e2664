/**
 * Policies as a library: checking and compiling plain values, without files, processes or a command line.
 *
 *   checkPolicy(value)   everything that is wrong with a plain value, with paths
 *   parsePolicy(value)   the policy that it is, defaults filled in; or why it is none
 *   readPolicy(text)     the same for YAML or JSON text, with line and column
 *   readPolicyFiles      the same for a policy that is spread over files
 *   compilePolicy        what the module reads
 */
export { checkPolicy, parsePolicy, type Finding, type ParsedPolicy } from './check/checkPolicy.ts';
export { MAX_POLICY_BYTES } from './check/plain.ts';
export {
  PolicyProblems,
  printProblem,
  printProblems,
  printWarnings,
  readPolicy,
  validPolicy,
  type LoadResult,
  type Problem,
  type ProblemList,
  type ValidPolicy,
} from './yaml/readPolicy.ts';
export { readPolicyFiles, validPolicyFiles, type PolicyText } from './yaml/files.ts';
export { printPath } from './secret.ts';

export {
  compilePolicy,
  configDigest,
  domainOf,
  isSameInAnyOrder,
  orderedConfig,
  orderedPolicy,
  sameWindow,
} from './compile/compile.ts';
export { compiledAt, endingText, type KnownZone } from './compile/calendar.ts';
export { headersRoutesRemove, keySourcesOf, placedKey, sourceWords } from './compile/keySource.ts';
export { takesTokens } from './compile/token.ts';
export {
  ConfigHoldings,
  Holdings,
  isPlansOwn,
  Modes,
  observedText,
  passesUnmatched,
  sizeOf,
  type Grantee,
  type Held,
  type Grants,
  type Holding,
  type Subscribed,
} from './compile/holding.ts';
export type * from '../contract/pluginConfig.ts';

export {
  destinationsOf,
  meshHostOf,
  MARGIN_BYTES,
  MAX_OBJECT_BYTES,
  MAX_REQUEST_BYTES,
  type Destination,
  type Target,
  type Tls,
  type Upstream,
} from './schema/mesh.ts';
export {
  jsonSchema,
  policySchema,
  type Api,
  type Consumer,
  type HeaderCondition,
  type Key,
  type Plan,
  type Policy,
  type Quota,
  type Route,
  type Subscription,
} from './schema/policy.ts';
export { operationName } from './schema/operation.ts';
export { parseKeySetUrl, type TokenIssuer } from './schema/token.ts';
export { parseUpstream, URL_FORM, type Protocol } from './schema/value.ts';
export { MAX_MESH_LIMIT } from './schema/quota.ts';
export { consumerNameRule, encodedConsumer, epochSeconds, LABEL, LABEL_RULE, NAME, NAME_RULE } from './schema/value.ts';
export { identityHeadersOf, tellsRoute, type IdentityHeaders } from './schema/disclosure.ts';
