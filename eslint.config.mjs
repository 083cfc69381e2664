import tseslint from 'typescript-eslint';

/** Sources in AssemblyScript. `tsc -p tsconfig.guest.json` checks their types, with those of the compiler's own library. */
const guests = [
  'filter/**/*.ts',
  'assembly/**/*.ts',
  'tests/filter/assembly/**/*.ts',
  'harness/envoy/assembly/**/*.ts',
  'bench/modules/**/*.ts',
];

export default tseslint.config(
  { ignores: ['build/', 'dist/', '.cache/', '**/*.mjs', '**/*.js', '**/*.d.ts'] },
  {
    files: guests,
    plugins: { '@typescript-eslint': tseslint.plugin },
    // a decorator on a function is no TypeScript, and parses all the same
    languageOptions: { parser: tseslint.parser, parserOptions: { allowInvalidAST: true } },
    // `==` is AssemblyScript's own equality: nothing is converted
    rules: {
      // the host names the parameters of callbacks, and not every one is of use
      '@typescript-eslint/no-unused-vars': ['error', { args: 'none' }],
      '@typescript-eslint/no-shadow': 'error',
      'no-constant-condition': ['error', { checkLoops: false }],
      'no-dupe-else-if': 'error',
      'no-duplicate-case': 'error',
      'no-fallthrough': 'error',
      'no-self-assign': 'error',
      'no-self-compare': 'error',
      'no-unreachable': 'error',
      'no-unused-expressions': 'error',
      'no-useless-return': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    ignores: guests,
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            {
              from: 'package',
              name: ['test', 'it', 'describe', 'before', 'after', 'beforeEach', 'afterEach', 'suite'],
              package: 'node:test',
            },
          ],
        },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/require-await': 'off',
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
);
