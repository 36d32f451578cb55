/** The choice of themes and the palette's shortcut, for the sidebar, the palette and the account page. */
import { IconDeviceDesktop, IconMoon, IconSun } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { m } from '../messages';
import type { Theme } from '../prefs';

export const themes: { value: Theme; label: ReactNode; title: string }[] = [
  { value: 'system', label: <IconDeviceDesktop size={16} aria-hidden />, title: m.nav.theme.system },
  { value: 'light', label: <IconSun size={16} aria-hidden />, title: m.nav.theme.light },
  { value: 'dark', label: <IconMoon size={16} aria-hidden />, title: m.nav.theme.dark },
];

export const commandKey = /Mac|iPhone|iPad/.test(navigator.userAgent) ? '⌘ K' : 'Ctrl K';
