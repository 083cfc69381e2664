// A reporter of `node --test`: each test that has ended, as a line of JSON. What is counted is this, not what others print.
export default async function* nodeEvents(source) {
  for await (const { type, data } of source) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const { name, file, skip, todo, details } = data;
    const event = { passed: type === 'test:pass', kind: details?.type ?? 'test', name, file };
    yield `${JSON.stringify({ ...event, skip: isSet(skip), todo: isSet(todo) })}\n`;
  }
}

/** Marks are true, or a reason, which may be empty. */
function isSet(mark) {
  return mark !== undefined && mark !== false;
}
