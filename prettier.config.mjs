/**
 * AssemblyScript puts decorators where TypeScript has none, which the plugin makes readable. The guest's strings have double quotes, as
 * AssemblyScript's own library has.
 */
const guest = [
  'filter/**/*.ts',
  'assembly/**/*.ts',
  'tests/filter/assembly/**/*.ts',
  'harness/envoy/assembly/**/*.ts',
  'bench/modules/**/*.ts',
];

export default {
  printWidth: 120,
  singleQuote: true,
  overrides: [{ files: guest, options: { plugins: ['assemblyscript-prettier'], singleQuote: false } }],
};
