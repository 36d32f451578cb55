import { afterEach, expect, it, vi } from 'vitest';
import { storage } from './lib/storage';
import { isZone, namedZone, chosenZone, zonePref } from './prefs';

afterEach(() => localStorage.clear());

it.each([
  ['Europe/Berlin', 'Europe/Berlin'],
  ['Etc/Unknown', 'UTC'],
  [undefined, 'UTC'],
  ['+05:00', 'Etc/GMT-5'],
  ['-03:00', 'Etc/GMT+3'],
  ['+00:00', 'UTC'],
])('a browser in %s is in a zone that the server knows: %s', (said, zone) => expect(namedZone(said)).toBe(zone));
it('finds a name for half an hour, and none for what is no offset', () => {
  const zone = namedZone('+05:30');
  expect([isZone(zone), new Date(0).toLocaleTimeString('en-GB', { timeZone: zone })]).toEqual([true, '05:30:00']);
  expect(namedZone('+25:61')).toBe('UTC');
  expect(['+05:00', 'Etc/Unknown', ''].map(isZone)).toEqual([false, false, false]);
});
it('remembers for as long as the page where nothing can be kept', () => {
  vi.stubGlobal('localStorage', { getItem: () => { throw new Error('denied'); }, setItem: () => { throw new Error('full'); }, removeItem: () => { throw new Error('denied'); } });
  chosenZone.set('Asia/Tokyo');
  expect([zonePref.get(), storage.isLasting()]).toEqual(['Asia/Tokyo', false]);
  storage.remove('nimbus.zone');
  expect(storage.get('nimbus.zone')).toBeNull();
  vi.unstubAllGlobals();
});
