// A transform for asc: the module's heap is filter/memory/heap.ts, not the one that comes with AssemblyScript.
import { readFileSync } from 'node:fs';
import { libraryFiles } from 'assemblyscript/asc';

if (!('rt/tlsf' in libraryFiles)) throw new Error('this AssemblyScript keeps its heap in another place');
libraryFiles['rt/tlsf'] = readFileSync(new URL('../../filter/memory/heap.ts', import.meta.url), 'utf8');

export default class Heap {}
