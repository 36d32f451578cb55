/** A question as code. */
import type { Insight } from '@nimbus-analytics/sdk';

/** A question and the operation that answers it: its name in the TypeScript SDK, that in the Go SDK, and its path. */
export interface Call {
  path: string;
  name: string;
  body: object;
  /** What of the answer is printed, in each language. */
  prints: { ts: string; go: string };
}

export const insightCall = (project_id: string, { kind, ...question }: Insight): Call => ({
  path: `/v1/insights/${kind}`, name: `ask${kind[0]!.toUpperCase()}${kind.slice(1)}`, body: { project_id, ...question },
  prints: { ts: 'console.log(JSON.stringify(data));', go: 'fmt.Println(string(answer.Body))' },
});

const indent = (json: string, by: string) => json.replaceAll('\n', `\n${by}`);

export function asCurl(call: Call, url: string): string {
  const body = JSON.stringify(call.body, null, 2).replaceAll("'", "'\\''");
  return `curl -sS ${url}${call.path} \\
  -H "X-API-Key: $NIMBUS_SECRET" -H 'Content-Type: application/json' \\
  -d '${body}'`;
}

export function asTypeScript(call: Call, url: string): string {
  return `import { createClient, ${call.name} } from '@nimbus-analytics/sdk';

const client = createClient({ baseUrl: '${url}', headers: { 'X-API-Key': process.env.NIMBUS_SECRET } });

const { data } = await ${call.name}({
  client,
  body: ${indent(JSON.stringify(call.body, null, 2), '  ')},
});
${call.prints.ts}`;
}

export function asGo(call: Call, url: string): string {
  return `package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	nimbus "github.com/bahagh/nimbus/sdk/go"
	"github.com/bahagh/nimbus/sdk/go/api"
)

const question = \`${JSON.stringify(call.body, null, 2).replaceAll('`', '` + "`" + `')}\`

func main() {
	client, err := api.New("${url}", api.WithRequestEditorFn(nimbus.SecretEditor(os.Getenv("NIMBUS_SECRET"))))
	if err != nil {
		log.Fatal(err)
	}
	answer, err := client.${call.name[0]!.toUpperCase()}${call.name.slice(1)}WithBodyWithResponse(context.Background(), "application/json", strings.NewReader(question))
	if err != nil {
		log.Fatal(err)
	}
	${call.prints.go}
}`;
}
