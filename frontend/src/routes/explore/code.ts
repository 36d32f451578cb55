/** The question as code. */
import type { MetricsQuery } from '@nimbus-analytics/sdk';

const indent = (json: string, by: string) => json.replaceAll('\n', `\n${by}`);

export function asCurl(q: MetricsQuery, url: string): string {
  const body = JSON.stringify(q, null, 2).replaceAll("'", "'\\''");
  return `curl -sS ${url}/v1/metrics/query \\
  -H "X-API-Key: $NIMBUS_SECRET" -H 'Content-Type: application/json' \\
  -d '${body}'`;
}

export function asTypeScript(q: MetricsQuery, url: string): string {
  return `import { createClient, runMetricsQuery } from '@nimbus-analytics/sdk';

const client = createClient({ baseUrl: '${url}', headers: { 'X-API-Key': process.env.NIMBUS_SECRET } });

const { data } = await runMetricsQuery({
  client,
  body: ${indent(JSON.stringify(q, null, 2), '  ')},
});
console.log(data.total, data.series.length);`;
}

export function asGo(q: MetricsQuery, url: string): string {
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

const question = \`${JSON.stringify(q, null, 2).replaceAll('`', '` + "`" + `')}\`

func main() {
	client, err := api.New("${url}", api.WithRequestEditorFn(nimbus.SecretEditor(os.Getenv("NIMBUS_SECRET"))))
	if err != nil {
		log.Fatal(err)
	}
	answer, err := client.RunMetricsQueryWithBodyWithResponse(context.Background(), "application/json", strings.NewReader(question))
	if err != nil {
		log.Fatal(err)
	}
	if total := answer.JSON200.Total; total != nil {
		fmt.Println(*total, len(answer.JSON200.Series))
	}
}`;
}
