// Fails when a page got heavy: what the first visit loads, and what each route adds, in kB of gzipped JavaScript. With
// the heaviest of its parts that are loaded when they are opened, a route may be a little heavier.
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const firstLoad = 150;
const perRoute = 45;
const withPart = 60;

const assets = new URL('../dist/assets/', import.meta.url);
const html = readFileSync(new URL('../dist/index.html', import.meta.url), 'utf8');
const files = new Map(
  readdirSync(assets)
    .filter((name) => name.endsWith('.js'))
    .map((name) => {
      const text = readFileSync(new URL(name, assets));
      const names = (pattern) => [...text.toString().matchAll(pattern)].map((m) => m[1]);
      return [name, { kB: gzipSync(text, { level: 9 }).length / 1000, needs: names(/(?:from|import)\s*"\.\/([^"]+\.js)"/g), opens: names(/import\(\s*["'`]\.\/([^"'`]+\.js)/g) }];
    }),
);
/** A file, and everything that it cannot run without. */
const whole = (name, seen = new Set()) => {
  if (!seen.has(name)) {
    seen.add(name);
    for (const needed of files.get(name).needs) whole(needed, seen);
  }
  return seen;
};
const sum = (names) => [...names].reduce((total, name) => total + files.get(name).kB, 0);

const first = new Set([...files.keys()].filter((name) => html.includes(name)).flatMap((name) => [...whole(name)]));
const added = (...names) => sum([...new Set(names.flatMap((name) => [...whole(name)]))].filter((f) => !first.has(f)));
const routes = [...files.keys()].filter((name) => name.includes('Page')).map((name) => ({ name, kB: added(name), open: Math.max(added(name), ...files.get(name).opens.map((part) => added(name, part))) }));
const largest = routes.reduce((a, b) => (b.kB > a.kB ? b : a));
const opened = routes.reduce((a, b) => (b.open > a.open ? b : a));
console.log(`first load ${sum(first).toFixed(1)} kB of ${firstLoad}; largest of ${routes.length} routes ${largest.name} ${largest.kB.toFixed(1)} kB of ${perRoute}, opened ${opened.name} ${opened.open.toFixed(1)} kB of ${withPart}`);
if (sum(first) > firstLoad || largest.kB > perRoute || opened.open > withPart) {
  console.error('The dashboard got too heavy. Load what few people need when they need it, or take less.');
  process.exit(1);
}
