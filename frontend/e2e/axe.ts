import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';

/** The rules a page keeps. */
export const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** axe for a page of one frame: its legacy mode opens no second page, and without passes it describes no healthy element. Either is half of its time. */
export const axe = (page: Page) => new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });

/** What axe finds, a line each. */
export const violations = async (builder: AxeBuilder) => (await builder.analyze()).violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.html.slice(0, 120)} ${n.failureSummary?.split('\n')[1]?.trim()}`));
