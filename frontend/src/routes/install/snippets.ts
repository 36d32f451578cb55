/** How to send the first event from each kind of program, with the keys of the project filled in. */
export interface Keys {
  url: string;
  projectId: string;
  keyId: string;
  /** Absent when it is not known any more: the snippets then read NIMBUS_SECRET. */
  secret?: string | undefined;
  writeKey?: string | undefined;
  /** Where an SDK wants a UUID for a key. */
  writeKeyId?: string | undefined;
}

const event = 'signed_up';

export function curl({ url, projectId, keyId, secret }: Keys): string {
  return `${secret ? `NIMBUS_SECRET='${secret}'\n` : ''}BODY='{"project_id":"${projectId}","events":[{"name":"${event}","user_id":"user_1","props":{"plan":"pro"}}]}'
NOW=$(date +%s)
SIGNATURE=$(printf '%s' "$NOW:POST:/v1/events:$BODY" | openssl dgst -sha256 -hmac "$NIMBUS_SECRET" | sed 's/^.* //')
curl -sS ${url}/v1/events -H 'Content-Type: application/json' \\
  -H 'X-Api-Key-Id: ${keyId}' -H "X-Api-Timestamp: $NOW" -H "X-Api-Signature: $SIGNATURE" \\
  -d "$BODY"`;
}

/** For a file track.mjs: `node track.mjs` says how many events were stored. */
export function node({ url, projectId, keyId, secret }: Keys): string {
  return `import { createTracker } from '@nimbus-analytics/sdk';

const tracker = createTracker({
  baseUrl: '${url}',
  projectId: '${projectId}',
  keyId: '${keyId}',
  secret: ${secret ? `'${secret}'` : 'process.env.NIMBUS_SECRET'},
});

tracker.track('${event}', { plan: 'pro' }, { userId: 'user_1' });
await tracker.close(); // when the program ends: sends what waits
console.log('events stored:', tracker.stats().delivered);`;
}

export function go({ url, projectId, keyId, secret }: Keys): string {
  return `package main

import (
	"context"
	"fmt"
	"log"${secret ? '' : '\n\t"os"'}

	nimbus "github.com/bahagh/nimbus/sdk/go"
)

func main() {
	ctx := context.Background()
	tracker, err := nimbus.New(nimbus.Config{
		URL:       "${url}",
		ProjectID: "${projectId}",
		KeyID:     "${keyId}",
		Secret:    ${secret ? `"${secret}"` : 'os.Getenv("NIMBUS_SECRET")'},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := tracker.Track(ctx, "${event}", map[string]any{"plan": "pro"}, nimbus.WithUserID("user_1")); err != nil {
		log.Print(err)
	}
	if err := tracker.Close(ctx); err != nil { // when the program ends: sends what waits
		log.Fatal(err)
	}
	fmt.Println("events stored:", tracker.Stats().Delivered)
}`;
}

/** For a file track.py: `python3 track.py` says how many events were stored. */
export function python({ url, projectId, keyId, secret }: Keys): string {
  return `${secret ? '' : 'import os\n\n'}import nimbus

with nimbus.Tracker(
    url="${url}",
    project_id="${projectId}",
    key_id="${keyId}",
    secret=${secret ? `"${secret}"` : 'os.environ["NIMBUS_SECRET"]'},
) as tracker:  # sends what waits when the program ends
    tracker.track("${event}", {"plan": "pro"}, user_id="user_1")
print("events stored:", tracker.stats().delivered)`;
}

export function kotlin({ url, projectId, keyId, secret }: Keys): string {
  return `import io.github.bahagh.nimbus.Config
import io.github.bahagh.nimbus.Options
import io.github.bahagh.nimbus.Tracker

fun main() {
    val tracker = Tracker(
        Config(
            url = "${url}",
            projectId = "${projectId}",
            keyId = "${keyId}",
            secret = ${secret ? `"${secret}"` : 'System.getenv("NIMBUS_SECRET")'},
        ),
    )
    tracker.track("${event}", mapOf("plan" to "pro"), Options(userId = "user_1"))
    tracker.close() // when the program ends: sends what waits
    println("events stored: \${tracker.stats().delivered}")
}`;
}

/** For every page: the first script keeps the calls that are made before the tracker has loaded. Page views are tracked without a call. */
export function browser({ url, projectId, writeKey }: Keys): string {
  return `<script>
  if (!window.nimbus?.track) {
    nimbus = { q: [] };
    const calls = 'track page screen identify alias group setPeople setPeopleOnce addPeople appendPeople unionPeople ' +
      'removePeople unsetPeople deletePerson register unregister reset optIn optOut';
    for (const m of calls.split(' ')) nimbus[m] = (...a) => nimbus.q.push([m, ...a]);
  }
</script>
<script async src="${url}/sdk.js" data-write-key="${writeKey}" data-project="${projectId}"></script>`;
}

/** For the one place where somebody signs up. On every page, it would record a sign-up with every view. */
export const browserEvent = `nimbus.identify('user_1', { plan: 'pro' }); // your id of the new user, and what you know of them
nimbus.track('${event}', { plan: 'pro' });`;

/** For the first file of a React application, such as src/main.tsx. The README of the SDK has the same. */
export function react({ url, projectId, writeKey }: Keys): string {
  return `import { createBrowserTracker } from '@nimbus-analytics/sdk/browser';
import { NimbusProvider, useIdentify, useTrack } from '@nimbus-analytics/sdk/react';
import { createRoot } from 'react-dom/client';

const nimbus = createBrowserTracker({
  baseUrl: '${url}',
  projectId: '${projectId}',
  writeKey: '${writeKey}',
});

function SignUp({ user }: { user?: { id: string; plan: string } }) {
  const track = useTrack();
  useIdentify(user?.id, { plan: user?.plan }); // as soon as there is one
  return <button onClick={() => track('${event}', { plan: 'pro' })}>Sign up</button>;
}

createRoot(document.getElementById('root')!).render(
  <NimbusProvider tracker={nimbus}>
    <SignUp user={{ id: 'user_1', plan: 'pro' }} />
  </NimbusProvider>,
);`;
}

/** The running server has the packages of its own version: nothing needs to be published. */
export const installNode = (url: string, version: string) => `npm install ${url}/sdk/nimbus-analytics-sdk-${version}.tgz`;

/** All other modules come from where they always do. The public checksum database does not know a module that is not published. */
export const installGo = (url: string) => `go mod init example.com/shop
GOPROXY="${url}/sdk/go,$(go env GOPROXY)" GONOSUMDB=github.com/bahagh/nimbus/sdk/go go get github.com/bahagh/nimbus/sdk/go`;

/** The wheel has the version of the contract, as the npm package has. */
export const installPython = (url: string, version: string) => `pip install ${url}/sdk/nimbus_analytics-${version}-py3-none-any.whl`;

/** The running server is a Maven repository for the SDK of its own version. Gradle takes plain http only when it is told to. */
export const installKotlin = (url: string, version: string) => `repositories {
    mavenCentral()
    maven("${url}/sdk/maven")${url.startsWith('http:') ? ' { isAllowInsecureProtocol = true }' : ''}
}
dependencies {
    implementation("io.github.bahagh:nimbus-analytics:${version}")
}`;
