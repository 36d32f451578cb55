import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it } from 'vitest';
import { TimeChart, type Series } from './TimeChart';

const series: Series[] = [
  { key: 'a', label: 'Page views', color: 0, total: 6, values: [1, 2, 3] },
  { key: 'b', label: 'Purchases', color: 1, total: 1, values: [null, 1, 0] },
];
const show = (list = series) => (
  <TimeChart label="Events" kind="line" buckets={['2026-01-01', '2026-01-02', '2026-01-03'].slice(0, list[0]!.values.length)} series={list} formatBucket={(b) => b} formatBucketLong={(b) => `day ${b}`} incompleteFrom="2026-01-03" />
);

it('tells by keyboard what it draws, and what is not over yet', async () => {
  const { container, rerender } = render(show());
  screen.getByRole('group').focus();
  await userEvent.keyboard('{ArrowLeft}');
  const live = container.querySelector('[aria-live]')!;
  expect(live.textContent).toBe('day 2026-01-03 (so far): Page views 3, Purchases 0');
  await userEvent.keyboard('{Home}');
  expect(live.textContent).toBe('day 2026-01-01: Page views 1, Purchases nothing measured');
  await userEvent.keyboard('{End}');
  rerender(show(series.map((s) => ({ ...s, values: s.values.slice(0, 1) })))); // a shorter answer while the last point is read
  expect(live.textContent).toBe('');
});
it('draws the running bucket dashed, and a legend that isolates', async () => {
  const { container } = render(show());
  expect(container.querySelectorAll('path[stroke-dasharray]')).toHaveLength(2);
  await userEvent.click(screen.getByRole('button', { name: 'Purchases' }));
  expect(container.querySelectorAll('g.line')).toHaveLength(1);
  await userEvent.click(screen.getByRole('button', { name: 'Purchases' }));
  expect(container.querySelectorAll('g.line')).toHaveLength(2);
});
