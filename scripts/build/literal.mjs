// A transform for asc: `literal("text")` with a constant text becomes the address and length of its UTF-8 bytes in the
// module's data, so that nothing is copied when a VM starts, and no text is kept in UTF-16. The texts of a source are one
// run of bytes: a data segment for each would cost as much as a short text.
import { AssertionKind, CommonFlags, Node, NodeKind, Token } from 'assemblyscript';

/** Texts stand side by side without padding. */
const UNALIGNED = 1;
const FUNCTION = 'literal';

/** The run of bytes of a source, in the source's own scope. */
const TEXTS = 'TEXTS';

export default class Literal {
  afterParse(parser) {
    for (const source of parser.sources) if (!source.internalPath.startsWith('~lib/')) layOut(source);
  }
}

function layOut(source) {
  let bytes = Buffer.alloc(0);
  const place = (text) => {
    if (!bytes.includes(text)) bytes = Buffer.concat([bytes, text]);
    return bytes.indexOf(text);
  };
  source.statements = replaceIn(source.statements, place);
  if (bytes.length > 0) source.statements.unshift(constant(TEXTS, dataOf(bytes, source.range), source.range));
}

/** The node, or list of nodes, with every call replaced, however deep. */
function replaceIn(node, place) {
  if (Array.isArray(node)) return node.map((item) => replaceIn(item, place));
  if (node === null || typeof node !== 'object' || typeof node.kind !== 'number') return node;
  if (isLiteral(node)) {
    const text = Buffer.from(node.args[0].value, 'utf8');
    return constantView(place(text), text.length, node.range);
  }
  for (const [name, value] of Object.entries(node)) {
    if (name !== 'parent' && name !== 'range' && value !== null && typeof value === 'object')
      node[name] = replaceIn(value, place);
  }
  return node;
}

function isLiteral(node) {
  return (
    node.kind === NodeKind.Call &&
    node.expression.kind === NodeKind.Identifier &&
    node.expression.text === FUNCTION &&
    node.args.length === 1 &&
    node.args[0].kind === NodeKind.Literal &&
    typeof node.args[0].value === 'string' &&
    node.args[0].value !== ''
  );
}

/** `<u64>(TEXTS + offset) | length << 32`, as `view` in filter/bytes/view.ts lays it out. */
function constantView(offset, length, range) {
  const pointer = Node.createBinaryExpression(Token.Plus, name(TEXTS, range), integer(offset, range), range);
  const wide = Node.createAssertionExpression(
    AssertionKind.As,
    Node.createParenthesizedExpression(pointer, range),
    type('u64', range),
    range,
  );
  const high = Node.createIntegerLiteralExpression(i64_new(0, length), range);
  return Node.createParenthesizedExpression(Node.createBinaryExpression(Token.Bar, wide, high, range), range);
}

/** `memory.data<u8>([…], 1)` */
function dataOf(bytes, range) {
  const list = Node.createArrayLiteralExpression(
    [...bytes].map((byte) => integer(byte, range)),
    range,
  );
  const data = Node.createPropertyAccessExpression(name('memory', range), name('data', range), range);
  return Node.createCallExpression(data, [type('u8', range)], [list, integer(UNALIGNED, range)], range);
}

/** `const text: usize = value` */
function constant(text, value, range) {
  const declaration = Node.createVariableDeclaration(
    name(text, range),
    null,
    CommonFlags.Const,
    type('usize', range),
    value,
    range,
  );
  return Node.createVariableStatement(null, [declaration], range);
}

function name(text, range) {
  return Node.createIdentifierExpression(text, range);
}

function type(text, range) {
  return Node.createNamedType(Node.createSimpleTypeName(text, range), null, false, range);
}

function integer(value, range) {
  return Node.createIntegerLiteralExpression(i64_new(value), range);
}
