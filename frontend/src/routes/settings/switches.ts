import type { Dialect, Project } from '@nimbus-analytics/sdk';

/** Whether a project takes events from a vendor's SDKs: it may have switched them off, or the server may not speak them at all. */
export function stateOf(project: Pick<Project, 'dialects' | 'dialects_off'>, dialect: Dialect): 'on' | 'off' | 'not spoken' {
  if (project.dialects_off.includes(dialect)) return 'off';
  return project.dialects.includes(dialect) ? 'on' : 'not spoken';
}

/** What is off when one is switched; the others stay as they are. */
export const switched = (off: readonly Dialect[], dialect: Dialect, on: boolean): Dialect[] => [...off.filter((one) => one !== dialect), ...(on ? [] : [dialect])];
