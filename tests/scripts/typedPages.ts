/** Pages whose `run` blocks need nothing but the tool and these programs; other pages' blocks have a mesh to run on. */
export const TYPED_PAGES: Readonly<Record<string, readonly string[]>> = {
  'docs/ci.md': [],
  'docs/cli.md': ['jq', 'man'],
  'docs/explain.md': ['jq'],
  'docs/istio.md': ['git'],
  'docs/keys.md': [],
  'docs/observe.md': [],
  'docs/kong.md': ['jq'],
  'docs/openapi.md': [],
  'docs/upgrading.md': [],
};
