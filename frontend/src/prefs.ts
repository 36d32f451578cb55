/** Preferences that this browser remembers. */
import { useSyncExternalStore } from 'react';
import { signal } from './lib/signal';

export type Theme = 'light' | 'dark' | 'system';
const { watch, notify } = signal();

function pref<T extends string>(key: string, read: (stored: string | null) => T) {
  const get = () => read(localStorage.getItem(key));
  const set = (value: T) => {
    localStorage.setItem(key, value);
    notify();
  };
  const use = () => useSyncExternalStore(watch, get);
  return { get, set, use };
}

export const zones = [...new Set([...Intl.supportedValuesOf('timeZone'), 'UTC'])];

export function isZone(zone: unknown): zone is string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone as string });
    return typeof zone === 'string' && zone !== '';
  } catch {
    return false;
  }
}

/** The time zone in which times are shown and days begin. */
export const zonePref = pref('nimbus.zone', (stored) => (isZone(stored) ? stored : Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'));
export const themePref = pref<Theme>('nimbus.theme', (stored) => (stored === 'light' || stored === 'dark' ? stored : 'system'));
/** Shortcuts of a single key can be turned off: speech input and tremor trigger them by accident (WCAG 2.1.4). */
export const singleKeysPref = pref<'on' | 'off'>('nimbus.single-keys', (stored) => (stored === 'off' ? 'off' : 'on'));
export const lastProject = pref('nimbus.project', (stored) => stored ?? '');

export function applyTheme(theme: Theme) {
  themePref.set(theme);
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
}
