/** The question at hand as a program would ask it. */
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
console.log(data.total, data.series);`;
}

export function asGo(q: MetricsQuery, url: string): string {
  return `client, err := nimbus.NewClientWithResponses("${url}", nimbus.WithRequestEditorFn(
	func(_ context.Context, r *http.Request) error {
		r.Header.Set("X-API-Key", os.Getenv("NIMBUS_SECRET"))
		return nil
	}))
if err != nil {
	return err
}
question := strings.NewReader(\`${JSON.stringify(q, null, 2).replaceAll('`', '` + "`" + `')}\`)
answer, err := client.RunMetricsQueryWithBodyWithResponse(ctx, "application/json", question)
if err != nil {
	return err
}
fmt.Println(answer.JSON200.Total, answer.JSON200.Series)`;
}
