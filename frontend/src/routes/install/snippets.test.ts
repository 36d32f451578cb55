import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { browser, browserEvent, installGo, installNode, installPython, python } from './snippets';

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
it('installs what the running server has', () => {
  expect(installNode('https://n.example/analytics', '0.1.0')).toBe('npm install https://n.example/analytics/sdk/nimbus-analytics-sdk-0.1.0.tgz');
  expect(installPython('https://n.example/analytics', '0.1.0')).toBe('pip install https://n.example/analytics/sdk/nimbus_analytics-0.1.0-py3-none-any.whl');
  expect(installGo('http://n.example')).toContain('="http://n.example/sdk/go,$(go env GOPROXY)"');
});
it('reads the secret from the environment of a Python program when it is not known any more', () => {
  const keys = { url: 'https://n.example', projectId: 'p', keyId: 'nk_1' };
  expect(python({ ...keys, secret: 'ns_1' })).toMatch(/^import nimbus\n[^]*secret="ns_1",\n/);
  expect(python(keys)).toMatch(/^import os\n\nimport nimbus\n[^]*secret=os\.environ\["NIMBUS_SECRET"\],\n/);
});
