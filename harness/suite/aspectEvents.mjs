// A reporter of as-pect, beside the one that prints: what came of each spec file, as lines of JSON in $TOLLGATE_TEST_EVENTS.
import { appendFileSync } from 'node:fs';

function report(event) {
  const file = process.env.TOLLGATE_TEST_EVENTS;
  if (file) appendFileSync(file, `${JSON.stringify({ kind: 'test', skip: false, todo: false, ...event })}\n`);
}

export default {
  onEnter: () => undefined,
  onExit: () => undefined,
  onFinish: (suite) => {
    const file = suite.fileName;
    const failed = suite.testCount - suite.testPassCount;
    const todos = suite.rootNode.childGroups.flatMap((group) => group.groupTodos);
    for (let i = 0; i < suite.testPassCount; i++) report({ passed: true, name: `${file} ${i}`, file });
    for (let i = 0; i < failed; i++) report({ passed: false, name: `${file} failed ${i}`, file });
    for (const todo of todos) report({ passed: true, name: String(todo), file, todo: true });
    // an error outside of any test, or a file in which nothing ran
    if (failed === 0 && (!suite.pass || suite.testCount === 0)) report({ passed: false, name: file, file });
  },
};
