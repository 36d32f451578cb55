import { defineConfig } from '@hey-api/openapi-ts';

export default defineConfig({
  input: '../../openapi/nimbus.yaml',
  output: { path: 'src/gen', clean: true, importFileExtension: '.js' },
  plugins: [
    '@hey-api/client-fetch',
    { name: '@hey-api/typescript', enums: 'javascript' },
    { name: '@hey-api/sdk', operations: { strategy: 'flat' } },
  ],
});
