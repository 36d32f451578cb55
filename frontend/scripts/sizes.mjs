// Fails when a page got heavy: what the first visit loads, and what each route adds, in kB of gzipped JavaScript.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const firstLoad = 220;
const perRoute = 40;

const assets = new URL('../dist/assets/', import.meta.url);
const html = readFileSync(new URL('../dist/index.html', import.meta.url), 'utf8');
const scripts = readdirSync(assets)
  .filter((name) => name.endsWith('.js'))
  .map((name) => ({ name, kB: gzipSync(readFileSync(new URL(name, assets)), { level: 9 }).length / 1000, first: html.includes(name) }));

const first = scripts.filter((s) => s.first).reduce((sum, s) => sum + s.kB, 0);
const largest = scripts.filter((s) => !s.first).reduce((a, b) => (b.kB > a.kB ? b : a), { name: '-', kB: 0 });
console.log(`first load ${first.toFixed(1)} kB of ${firstLoad}; largest route ${largest.name} ${largest.kB.toFixed(1)} kB of ${perRoute}`);
if (first > firstLoad || largest.kB > perRoute) {
  console.error('The dashboard got too heavy. Load what few people need when they need it, or take less.');
  process.exit(1);
}
