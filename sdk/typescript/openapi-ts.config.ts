import { defineConfig } from '@hey-api/openapi-ts';

export default defineConfig({
  input: '../../openapi/nimbus.yaml',
  output: { path: 'src/gen', clean: true, importFileExtension: '.js' },
  parser: {
    hooks: {
      operations: {
        // A question that is too long for a URL is a POST, and still a question: it is cached like one.
        isQuery: (op) => (isQuestion(op) ? true : undefined),
        isMutation: (op) => (isQuestion(op) ? false : undefined),
      },
    },
  },
  plugins: [
    { name: '@hey-api/client-fetch', throwOnError: true },
    { name: '@hey-api/typescript', enums: 'javascript' },
    { name: '@hey-api/sdk', operations: { strategy: 'flat' } },
    { name: '@tanstack/react-query', queryKeys: { tags: true } },
  ],
});

function isQuestion(op: { method: string; path: string; operationId?: string }): boolean {
  return op.method === 'post' && (op.path.endsWith('/query') || op.path.includes('/query/'));
}
