/** Keys: making one, and what a policy holds of it. Pure: no file, process or command line. */
export { KeyError } from './error.ts';
export { digestKey, inspectKey, issueKey, type IssuedKey } from './key.ts';
