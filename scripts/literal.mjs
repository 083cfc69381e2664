// Told to asc as a transform: `literal("text")` with a constant text becomes the address and length of its UTF-8 bytes in the
// module's data, so that nothing is copied when a VM starts, and no text is kept in UTF-16.
import { AssertionKind, Node, NodeKind, Token } from 'assemblyscript';

/** Texts stand side by side, wherever they end. */
const UNALIGNED = 1;
const FUNCTION = 'literal';

export default class Literal {
  afterParse(parser) {
    for (const source of parser.sources) if (!source.internalPath.startsWith('~lib/')) source.statements = replaceIn(source.statements);
  }
}

/** The node, or list of nodes, with every call replaced, however deep. */
function replaceIn(node) {
  if (Array.isArray(node)) return node.map(replaceIn);
  if (node === null || typeof node !== 'object' || typeof node.kind !== 'number') return node;
  if (isLiteral(node)) return constantView(Buffer.from(node.args[0].value, 'utf8'), node.range);
  for (const [name, value] of Object.entries(node)) {
    if (name !== 'parent' && name !== 'range' && value !== null && typeof value === 'object') node[name] = replaceIn(value);
  }
  return node;
}

function isLiteral(node) {
  return node.kind === NodeKind.Call && node.expression.kind === NodeKind.Identifier && node.expression.text === FUNCTION
    && node.args.length === 1 && node.args[0].kind === NodeKind.Literal && typeof node.args[0].value === 'string' && node.args[0].value !== '';
}

/** `<u64>memory.data<u8>([…]) | length << 32`, as `view` in filter/bytes/view.ts lays it out. */
function constantView(bytes, range) {
  const name = (text) => Node.createIdentifierExpression(text, range);
  const type = (text) => Node.createNamedType(Node.createSimpleTypeName(text, range), null, false, range);
  const integer = (value) => Node.createIntegerLiteralExpression(value, range);
  const data = Node.createCallExpression(
    Node.createPropertyAccessExpression(name('memory'), name('data'), range), [type('u8')],
    [Node.createArrayLiteralExpression([...bytes].map((byte) => integer(i64_new(byte))), range), integer(i64_new(UNALIGNED))], range,
  );
  const pointer = Node.createAssertionExpression(AssertionKind.As, data, type('u64'), range);
  return Node.createParenthesizedExpression(Node.createBinaryExpression(Token.Bar, pointer, integer(i64_new(0, bytes.length)), range), range);
}
