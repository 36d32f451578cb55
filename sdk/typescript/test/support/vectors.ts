// What testvectors has for the behaviours, which may run where there are no files.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Vectors } from './behaviours.js';
import { root } from './processes.js';

const read = (name: string): unknown => JSON.parse(readFileSync(join(root, 'testvectors', name), 'utf8'));

export const vectors = { ...(read('junk.json') as object), operations: read('operations.json') } as Vectors;
