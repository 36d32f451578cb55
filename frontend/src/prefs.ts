/** Preferences that this browser remembers. */
import { useSyncExternalStore } from 'react';
import { offsetOf } from './format';
import { signal } from './lib/signal';
import { storage } from './lib/storage';

export type Theme = 'light' | 'dark' | 'system';
const { watch, notify } = signal();

function pref<T extends string>(key: string, read: (stored: string | null) => T) {
  const get = () => read(storage.get(key));
  const set = (value: T) => {
    storage.set(key, value);
    notify();
  };
  const use = () => useSyncExternalStore(watch, get);
  return { get, set, use };
}

export const zones = [...new Set([...Intl.supportedValuesOf('timeZone'), 'UTC'])];

/** Whether the browser and the server know a zone. An offset such as +05:00, which browsers take, has no name for the server. */
export function isZone(zone: unknown): zone is string {
  if (typeof zone !== 'string' || !/^[A-Z]/i.test(zone) || zone === 'Etc/Unknown') return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** The zone that a browser says it is in, by a name that the server knows too: UTC for Etc/Unknown, and for +05:00 Etc/GMT-5. */
export function namedZone(said: string | undefined): string {
  if (isZone(said)) return said;
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)?$/.exec(said ?? '') ?? [];
  if (!sign) return 'UTC';
  const offset = (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes ?? 0)) * 60_000;
  if (offset % 3_600_000 === 0) {
    const whole = offset / 3_600_000;
    // In Etc, the sign is that of the way to Greenwich.
    const named = whole === 0 ? 'UTC' : `Etc/GMT${whole > 0 ? '-' : '+'}${Math.abs(whole)}`;
    if (isZone(named)) return named;
  }
  // Half an hour: a zone that has this offset in winter and in summer.
  const days = [Date.UTC(2026, 0, 1), Date.UTC(2026, 6, 1)];
  return zones.find((zone) => days.every((at) => offsetOf(at, zone) === offset)) ?? 'UTC';
}

/** The zone that the browser is in. */
export const browserZone = () => namedZone(Intl.DateTimeFormat().resolvedOptions().timeZone);
/** The zone of the project that is open, or was last; that of the browser before the first one. */
export const projectZone = pref('nimbus.project-zone', (stored) => (isZone(stored) ? stored : browserZone()));
/** The zone that somebody chose for this browser; empty for that of the project, so that all see the same days. */
export const chosenZone = pref('nimbus.zone', (stored) => (isZone(stored) ? stored : ''));
/** The time zone in which times are shown and days begin. */
const zoneNow = () => chosenZone.get() || projectZone.get();
export const zonePref = { get: zoneNow, use: () => useSyncExternalStore(watch, zoneNow) };
export const themePref = pref<Theme>('nimbus.theme', (stored) => (stored === 'light' || stored === 'dark' ? stored : 'system'));
/** Shortcuts of a single key can be turned off: speech input and tremor trigger them by accident (WCAG 2.1.4). */
export const singleKeysPref = pref<'on' | 'off'>('nimbus.single-keys', (stored) => (stored === 'off' ? 'off' : 'on'));
/** Whether CSV files begin with a byte order mark. */
export const csvMarkPref = pref<'on' | 'off'>('nimbus.csv-mark', (stored) => (stored === 'on' ? 'on' : 'off'));
export const lastProject = pref('nimbus.project', (stored) => stored ?? '');

export function applyTheme(theme: Theme) {
  themePref.set(theme);
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}
