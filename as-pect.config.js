// Unit tests of the pure pieces, in AssemblyScript: `npx asp`. `filter/` imports nothing, so the tests need nothing either.
export default {
  entries: ['tests/filter/assembly/**/*.spec.ts'],
  include: [],
  reporter: 'harness/suite/aspectEvents.mjs',
  disclude: [/node_modules/],
  instantiate: async (memory, createImports, instantiate, binary) =>
    instantiate(binary, createImports({ env: { memory } })),
  outputBinary: false,
};
