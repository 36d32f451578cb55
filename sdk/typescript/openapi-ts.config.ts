import { defineConfig } from '@hey-api/openapi-ts';

export default defineConfig({
  input: '../../openapi/nimbus.yaml',
  output: { path: 'src/gen', clean: true, importFileExtension: '.js' },
  parser: {
    // The wire formats of other vendors: no client of ours speaks them. (`filters` would drop the parameters of paths, too.)
    patch: { input: withoutDialects },
    hooks: {
      operations: {
        // A question that is too long for a URL is a POST, and still a question: it is cached like one. A stream is none.
        isQuery: (op) => (isStream(op) ? false : isQuestion(op) ? true : undefined),
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

function withoutDialects(spec: { paths?: object }): void {
  const paths = (spec.paths ?? {}) as Record<string, Record<string, unknown>>;
  for (const [path, item] of Object.entries(paths)) {
    if (Object.values(item).some((op) => typeof op === 'object' && op !== null && 'x-dialect' in op)) {
      delete paths[path];
    }
  }
}

function isQuestion(op: { method: string; path: string; operationId?: string }): boolean {
  return op.method === 'post' && (op.path.endsWith('/query') || op.path.includes('/query/'));
}

function isStream(op: { responses?: Record<string, { mediaType?: string } | undefined> }): boolean {
  return Object.values(op.responses ?? {}).some((response) => response?.mediaType === 'text/event-stream');
}
