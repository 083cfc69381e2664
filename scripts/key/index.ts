/** Keys: making one, and what a policy holds of it. Pure: no file, process or command line. */
export { digestOf as digestKey, inspectKey, newKey as issueKey, type IssuedKey } from './key.ts';
export { KeyError } from './error.ts';
