/** Each kind of question is loaded when it is asked. */
import { lazy } from 'react';

export const views = {
  trends: lazy(() => import('./Trends')),
  funnel: lazy(() => import('./Funnel')),
  retention: lazy(() => import('./Retention')),
  lifecycle: lazy(() => import('./Activity').then((module) => ({ default: module.Lifecycle }))),
  stickiness: lazy(() => import('./Activity').then((module) => ({ default: module.Stickiness }))),
  paths: lazy(() => import('./Paths')),
  sessions: lazy(() => import('./Sessions')),
};
