import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from './processes.js';

/** What the dashboard's install page gives to paste. */
export interface Snippets {
  installNode: (url: string, version: string) => string;
  node: (keys: object) => string;
  react: (keys: object) => string;
}

export async function snippets(): Promise<Snippets> {
  const entry = join(root, 'frontend', 'src', 'routes', 'install', 'snippets.ts');
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'esm', write: false, logLevel: 'error' });
  return (await import(`data:text/javascript,${encodeURIComponent(outputFiles[0]?.text ?? '')}`)) as Snippets;
}
