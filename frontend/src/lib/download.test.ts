import { expect, it, vi } from 'vitest';
import { csvMarkPref } from '../prefs';
import { csv, downloadCsv } from './download';

it('writes CSV that no spreadsheet takes for a formula', () => {
  expect(csv([['a,b', 'say "x"', '=1+1', -5, null]])).toBe('"a,b","say ""x""",\'=1+1,-5,\r\n');
});
it('begins with a byte order mark when that was chosen, for Excel', async () => {
  const made: Blob[] = [];
  vi.stubGlobal('URL', Object.assign(() => {}, { createObjectURL: (blob: Blob) => (made.push(blob), 'blob:x'), revokeObjectURL: () => {} }));
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => {});
  downloadCsv('a.csv', [['ä']]);
  csvMarkPref.set('on');
  downloadCsv('a.csv', [['ä']]);
  csvMarkPref.set('off');
  vi.unstubAllGlobals();
  const bytes = await Promise.all(made.map(async (blob) => [...new Uint8Array(await blob.arrayBuffer())].slice(0, 3)));
  expect(bytes).toEqual([[0xc3, 0xa4, 0x0d], [0xef, 0xbb, 0xbf]]);
});
