import { componentNames, type ComponentName } from './component.ts';
import { componentsFolder } from './folder.ts';
import { findComponent } from './find.ts';
import { provide } from './provide.ts';

/** `node --import tsx harness/components/build.ts [NAME…]`: builds what is missing and says where everything is. */
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(componentNames as readonly string[]).includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no component "${unknown.join('", "')}"; there are ${componentNames.join(', ')}\n`);
  process.exit(2);
}
const wanted = asked.length > 0 ? (asked as ComponentName[]) : componentNames;
process.stdout.write(`components: ${componentsFolder()}\n`);
const failures = await provide(wanted, (line) => process.stdout.write(`${line}\n`));
for (const name of wanted)
  process.stdout.write(
    `${name.padEnd(16)} ${(await findComponent(name)) ?? `missing: ${failures.get(name) ?? 'not found'}`}\n`,
  );
process.exitCode = failures.size === 0 ? 0 : 1;
