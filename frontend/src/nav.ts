/** The pages of a project: the sidebar, the command palette and the shortcuts are made of this one list. */
import { IconBookmark, IconBroadcast, IconChartLine, IconCode, IconHistory, IconKey, IconLayoutBoard, IconLayoutDashboard, IconList, IconSettings, IconUsers, IconUsersGroup, IconUserCheck, type Icon } from '@tabler/icons-react';
import type { Role } from '@nimbus-analytics/sdk';
import { m } from './messages';

export interface NavItem {
  to: '/projects/$projectId' | '/projects/$projectId/insights' | '/projects/$projectId/reports' | '/projects/$projectId/boards' | '/projects/$projectId/live' | '/projects/$projectId/events' | '/projects/$projectId/people' | '/projects/$projectId/cohorts' | '/projects/$projectId/install' | '/projects/$projectId/members' | '/projects/$projectId/keys' | '/projects/$projectId/audit' | '/projects/$projectId/settings';
  label: string;
  icon: Icon;
  /** The shortcut, typed after g. */
  key: string;
  /** The least role that sees the entry. */
  role?: Role;
}

export const nav: { label: string; items: NavItem[] }[] = [
  {
    label: m.nav.analyse,
    items: [
      { to: '/projects/$projectId', label: m.nav.overview, icon: IconLayoutDashboard, key: 'o' },
      { to: '/projects/$projectId/insights', label: m.nav.explore, icon: IconChartLine, key: 'x' },
      { to: '/projects/$projectId/reports', label: m.nav.reports, icon: IconBookmark, key: 'r' },
      { to: '/projects/$projectId/boards', label: m.nav.boards, icon: IconLayoutBoard, key: 'b' },
    ],
  },
  {
    label: m.nav.data,
    items: [
      { to: '/projects/$projectId/live', label: m.nav.live, icon: IconBroadcast, key: 'l' },
      { to: '/projects/$projectId/events', label: m.nav.events, icon: IconList, key: 'e' },
      { to: '/projects/$projectId/people', label: m.nav.people, icon: IconUsers, key: 'p' },
      { to: '/projects/$projectId/cohorts', label: m.nav.cohorts, icon: IconUserCheck, key: 'c' },
    ],
  },
  {
    label: m.nav.manage,
    items: [
      { to: '/projects/$projectId/install', label: m.nav.install, icon: IconCode, key: 'i' },
      { to: '/projects/$projectId/members', label: m.nav.members, icon: IconUsersGroup, key: 'm' },
      { to: '/projects/$projectId/keys', label: m.nav.keys, icon: IconKey, key: 'k' },
      { to: '/projects/$projectId/audit', label: m.nav.audit, icon: IconHistory, key: 'a', role: 'admin' },
      { to: '/projects/$projectId/settings', label: m.nav.settings, icon: IconSettings, key: 's' },
    ],
  },
];
