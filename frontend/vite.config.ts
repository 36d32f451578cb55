/// <reference types="vitest/config" />
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// `npm run dev` serves the sources and passes the API on to a Nimbus that runs beside it.
const api = process.env['NIMBUS_URL'] ?? 'http://127.0.0.1:8080';
const vendors = [
  { name: 'react', test: /node_modules[\\/](react|react-dom|scheduler)[\\/]/ },
  { name: 'tanstack', test: /node_modules[\\/]@tanstack[\\/](react-query|query-core|react-router|router-core|history|store|react-store)[\\/]/ },
];

export default defineConfig({
  plugins: [react()],
  server: { proxy: { '/v1': { target: api, ws: true }, '/docs': api, '/sdk.js': api } },
  base: './', // below any path: what index.html names is found from its <base>
  build: {
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    assetsInlineLimit: 0, // the Content-Security-Policy takes fonts and styles from files only
    modulePreload: { polyfill: false },
    rolldownOptions: { output: { codeSplitting: { groups: vendors } } },
  },
  test: {
    environment: 'jsdom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['./src/test-setup.ts'],
    restoreMocks: true,
    testTimeout: 60_000, // a machine that does much else is slow, not wrong
    isolate: false, // a jsdom for each file takes longer than all the tests
  },
});
