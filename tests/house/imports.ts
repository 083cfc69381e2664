import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { packageRoot } from '../../scripts/file/packageRoot.ts';

/** The project's folders of code. */
export const ROOTS = ['filter', 'assembly', 'scripts', 'harness', 'tests', 'bench', 'attack'] as const;

export interface Import {
  /** Path from the package's root, such as `filter/index.ts`. */
  readonly from: string;
  /** Path from the package's root, or the name of a package. */
  readonly to: string;
  /** Gone when the file runs. */
  readonly isTypeOnly: boolean;
}

/** All source files, as paths from the package's root. */
export function sourceFiles(): string[] {
  return ROOTS.flatMap((root) =>
    readdirSync(join(packageRoot, root), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|mjs)$/.test(name))
      .map((name) => join(root, name)),
  ).sort();
}

/** Every import and re-export of the files, as TypeScript's parser finds them; relative ones as the file that they name. */
export function importsOf(files: readonly string[]): Import[] {
  const known = new Set(files);
  return files.flatMap((from) =>
    specifiersOf(from, readFileSync(join(packageRoot, from), 'utf8')).map(({ specifier, isTypeOnly }) => {
      if (!specifier.startsWith('.')) return { from, to: specifier, isTypeOnly };
      const path = normalize(join(dirname(from), specifier));
      // AssemblyScript names files without their ending
      const to = [path, `${path}.ts`, join(path, 'index.ts')].find((name) => known.has(name)) ?? path;
      return { from, to, isTypeOnly };
    }),
  );
}

interface Specifier {
  readonly specifier: string;
  readonly isTypeOnly: boolean;
}

export function specifiersOf(name: string, text: string): Specifier[] {
  const found: Specifier[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      const clause = node.importClause;
      const names = clause?.namedBindings;
      const onlyTypes =
        clause !== undefined &&
        (clause.isTypeOnly ||
          (clause.name === undefined &&
            names !== undefined &&
            ts.isNamedImports(names) &&
            names.elements.length > 0 &&
            names.elements.every((element) => element.isTypeOnly)));
      found.push({ specifier: node.moduleSpecifier.text, isTypeOnly: onlyTypes });
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined)
      found.push({ specifier: (node.moduleSpecifier as ts.StringLiteral).text, isTypeOnly: node.isTypeOnly });
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      if (argument !== undefined && ts.isStringLiteralLike(argument))
        found.push({ specifier: argument.text, isTypeOnly: false });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      found.push({ specifier: (node.argument.literal as ts.StringLiteral).text, isTypeOnly: true });
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest));
  return found;
}

/** Groups of things that reach each other, by Tarjan's algorithm: each is a cycle, or several that touch. */
export function cycles(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const indexes = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (node: string): void => {
    const index = indexes.size;
    indexes.set(node, index);
    lowest.set(node, index);
    stack.push(node);
    for (const next of edges.get(node) ?? []) {
      if (!indexes.has(next)) visit(next);
      if (stack.includes(next)) lowest.set(node, Math.min(lowest.get(node)!, lowest.get(next)!));
    }
    if (lowest.get(node) !== index) return;
    const group = stack.splice(stack.indexOf(node));
    if (group.length > 1 || edges.get(node)?.has(node)) found.push(group.sort());
  };
  for (const node of edges.keys()) if (!indexes.has(node)) visit(node);
  return found;
}

/** Who imports whom, without types where these are gone at run time. */
export function edgesOf(imports: readonly Import[]): Map<string, Set<string>> {
  const edges = new Map<string, Set<string>>();
  for (const { from, to, isTypeOnly } of imports) {
    if (isTypeOnly) continue;
    if (!edges.has(from)) edges.set(from, new Set());
    edges.get(from)!.add(to);
  }
  return edges;
}
