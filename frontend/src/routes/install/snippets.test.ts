import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { browser, browserEvent, installGo, installKotlin, installNode, installPython, kotlin, python } from './snippets';

it('gives every page a snippet that records page views and nothing else', () => {
  const html = browser({ url: 'https://n.example/analytics', projectId: 'p', keyId: 'k', writeKey: 'w' });
  document.body.innerHTML = html;
  const [stub, loader] = document.querySelectorAll('script');
  const page: { nimbus?: { q: unknown[] } } = {};
  runInNewContext(stub!.textContent, Object.assign(page, { window: page }));
  expect(page.nimbus?.q).toEqual([]);
  expect(loader!.outerHTML).toContain('src="https://n.example/analytics/sdk.js" data-write-key="w" data-project="p"');
  runInNewContext(browserEvent, page);
  expect(page.nimbus?.q).toEqual([['identify', 'user_1', { plan: 'pro' }], ['track', 'signed_up', { plan: 'pro' }]]);
});
it('shows Kotlin that compiles: the tests of the SDK compile the same text', () => {
  const compiled = readFileSync('../sdk/kotlin/src/test/kotlin/installpage/Main.kt', 'utf8').replace('package installpage\n\n', '').trim();
  expect(kotlin({ url: 'https://n.example', projectId: '3fa85f64-5717-4562-b3fc-2c963f66afa6', keyId: 'nk_1' })).toBe(compiled);
  expect(kotlin({ url: 'https://n.example', projectId: 'p', keyId: 'nk_1', secret: 'ns_1' })).toContain('secret = "ns_1",');
});
it('installs what the running server has', () => {
  expect(installKotlin('https://n.example/analytics', '0.1.0')).toContain('maven("https://n.example/analytics/sdk/maven")\n');
  expect(installKotlin('http://127.0.0.1:8080', '0.1.0')).toContain('isAllowInsecureProtocol');
  expect(installNode('https://n.example/analytics', '0.1.0')).toBe('npm install https://n.example/analytics/sdk/nimbus-analytics-sdk-0.1.0.tgz');
  expect(installPython('https://n.example/analytics', '0.1.0')).toBe('pip install https://n.example/analytics/sdk/nimbus_analytics-0.1.0-py3-none-any.whl');
  expect(installGo('http://n.example')).toContain('="http://n.example/sdk/go,$(go env GOPROXY)"');
});
it('reads the secret from the environment of a Python program when it is not known any more', () => {
  const keys = { url: 'https://n.example', projectId: 'p', keyId: 'nk_1' };
  expect(python({ ...keys, secret: 'ns_1' })).toMatch(/^import nimbus\n[^]*secret="ns_1",\n/);
  expect(python(keys)).toMatch(/^import os\n\nimport nimbus\n[^]*secret=os\.environ\["NIMBUS_SECRET"\],\n/);
});
