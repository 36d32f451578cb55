import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it } from 'vitest';
import type { Series } from './series';
import { TimeChart } from './TimeChart';

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
it('shows beside a value that of the period before, with its own date, and compares no running bucket with a whole one', () => {
  const before = { times: ['2025-12-29', '2025-12-30', '2025-12-31'], values: [2, 4, 8] };
  const { container } = render(show([{ ...series[0]!, before }]));
  const plot = screen.getByRole('group');
  plot.focus();
  fireEvent.keyDown(plot, { key: 'Home' });
  expect(container.querySelector('.tooltip')!.textContent).toBe('day 2026-01-01Against day 2025-12-29Page views12↓down 50%');
  expect(container.querySelector('[aria-live]')!.textContent).toBe('day 2026-01-01: Page views 1, before 2');
  fireEvent.keyDown(plot, { key: 'End' });
  expect(container.querySelector('.tooltip')!.textContent).toBe('day 2026-01-03 so farThe whole of day 2025-12-31 beside itPage views38');
});
it('draws no line again when the pointer moves', async () => {
  const { container } = render(show());
  const drawing = container.querySelector('svg')!;
  let changes = 0;
  const watcher = new MutationObserver((records) => (changes += records.length));
  watcher.observe(drawing, { attributes: true, childList: true, subtree: true, characterData: true });
  fireEvent.pointerMove(screen.getByRole('group'), { clientX: 400 });
  await waitFor(() => expect(container.querySelector('.tooltip')).not.toBeNull(), { timeout: 20_000 });
  expect(container.querySelector('[aria-live]')!.textContent).toBe('');
  expect(changes + watcher.takeRecords().length).toBe(0);
});
it('draws the running bucket dashed, and a legend that isolates', async () => {
  const { container } = render(show());
  expect(container.querySelectorAll('path[stroke-dasharray]')).toHaveLength(2);
  await userEvent.click(screen.getByRole('button', { name: 'Purchases' }));
  expect(container.querySelectorAll('g.line')).toHaveLength(1);
  await userEvent.click(screen.getByRole('button', { name: 'Purchases' }));
  expect(container.querySelectorAll('g.line')).toHaveLength(2);
});
