// The browser of the tests, of the dashboard's too; scripts/fetch-chromium.sh sees to it that there is one.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const names = ['chromium', 'google-chrome', 'google-chrome-stable', 'chromium-browser'];
const folders = (process.env['PATH'] ?? '').split(delimiter);
const places = [
  process.env['CHROMIUM_PATH'] ?? '',
  ...names.flatMap((name) => folders.map((folder) => join(folder, name))),
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** How to start the Chromium, or the Chrome, of this machine. */
export function browserOptions() {
  const executablePath = places.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('no Chromium: run scripts/fetch-chromium.sh, or set CHROMIUM_PATH');
  return {
    executablePath,
    timeout: 120_000,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  };
}
