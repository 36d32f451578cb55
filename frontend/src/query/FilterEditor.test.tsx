import type { MetricsFilter } from '@nimbus-analytics/sdk';
import { QueryClientProvider } from '@tanstack/react-query';
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from '@tanstack/react-router';
import { fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { expect, it } from 'vitest';
import { queryClient } from '../api';
import { FilterEditor } from './FilterEditor';

/** The editor in a page, and what it has handed on. */
async function show(first?: MetricsFilter) {
  const said: (MetricsFilter | undefined)[] = [];
  function Page() {
    const [filter, setFilter] = useState(first);
    return (
      <FilterEditor
        filter={filter}
        onChange={(next) => {
          said.push(next);
          setFilter(next);
        }}
      />
    );
  }
  const router = createRouter({ routeTree: createRootRoute({ component: Page }), history: createMemoryHistory() });
  render(<QueryClientProvider client={queryClient}><RouterProvider router={router as never} /></QueryClientProvider>);
  await screen.findByRole('group', { name: 'Where' });
  return said;
}
const fields = (label: string) => screen.queryAllByLabelText<HTMLInputElement>(label);
const plan = { op: 'eq', prop: 'plan', value: 'pro' } as const;
const device = { op: 'eq', prop: 'device', value: 'mobile' } as const;

it('changes nothing that nobody touched', async () => {
  const said = await show({ op: 'and', filters: [{ op: 'in', prop: 'page ', values: ['/docs, all', '/blog'] }, { op: 'contains', prop: ' x', value: 'y' }] });
  for (let i = 0; i < 12; i++) await userEvent.tab();
  expect(said).toEqual([]);
});
it('keeps the focus where something is changed, and shows what comes to a place', async () => {
  const said = await show({ op: 'and', filters: [plan, device] });
  const operator = fields('Comparison')[0]!;
  await userEvent.selectOptions(operator, 'neq');
  expect(said.at(-1)).toEqual({ op: 'and', filters: [{ ...plan, op: 'neq' }, device] });
  expect(operator.isConnected).toBe(true);
  const value = fields('Value')[0]!;
  await userEvent.clear(value);
  await userEvent.type(value, 'team{Enter}');
  expect(document.activeElement).toBe(value);
  await userEvent.click(screen.getAllByRole('button', { name: /^Remove/ })[0]!);
  expect(said.at(-1)).toEqual({ op: 'and', filters: [device] });
  expect(fields('Value').map((field) => field.value)).toEqual(['mobile']);
});
it('adds one condition, and stays in it', async () => {
  const said = await show(plan);
  await userEvent.click(screen.getByRole('button', { name: 'Add a condition' }));
  await userEvent.type(fields('Property')[1]!, 'name');
  await userEvent.selectOptions(fields('Comparison')[1]!, 'in');
  const value = fields('Value')[1]!;
  await userEvent.type(value, '"Doe, Jane", Roe{Enter}');
  expect(said).toEqual([{ op: 'and', filters: [plan, { op: 'in', prop: 'name', values: ['Doe, Jane', 'Roe'] }] }]);
  expect(fields('Value').map((field) => field.value)).toEqual(['pro', '"Doe, Jane", Roe']);
  expect(document.activeElement).toBe(value);
});
it('leaves the Enter of an input method to it', async () => {
  const said = await show(plan);
  const value = fields('Value')[0]!;
  fireEvent.change(value, { target: { value: 'プロ' } });
  fireEvent.keyDown(value, { key: 'Enter', isComposing: true });
  expect(said).toEqual([]);
  fireEvent.keyDown(value, { key: 'Enter' });
  expect(said).toHaveLength(1);
});
