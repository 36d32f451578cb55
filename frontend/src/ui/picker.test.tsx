import { fireEvent, render, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import { matching, Picker } from './Picker';

const options = [{ value: 'page_view' }, { value: 'view_cart' }, { value: 'Signed up' }];

it('finds what has the text in it, capitals and underscores aside, the beginnings first', () => {
  expect(matching(options, 'VIEW').map((o) => o.value)).toEqual(['view_cart', 'page_view']);
  expect(matching(options, 'page view').map((o) => o.value)).toEqual(['page_view']);
  expect(matching(options, 'signed_up').map((o) => o.value)).toEqual(['Signed up']);
  expect(matching(options, '')).toEqual(options);
});
it('takes typing at once, and chooses by arrows and Enter; what is not known is offered as such', () => {
  const picked: string[] = [];
  render(<Picker label="Event" shown="choose" options={options} search="Search" none="Nothing" free={(text) => `No “${text}” yet`} onPick={(value) => picked.push(value)} />);
  const open = () => fireEvent.click(screen.getByRole('button', { name: /^Event: ?choose/ }));
  open();
  const input = screen.getByRole('combobox');
  expect(document.activeElement).toBe(input);
  fireEvent.change(input, { target: { value: 'view' } });
  fireEvent.keyDown(input, { key: 'ArrowDown' });
  expect(screen.getByRole('option', { selected: true }).textContent).toBe('page_view');
  fireEvent.keyDown(input, { key: 'Enter' });
  expect(picked).toEqual(['page_view']);
  expect(screen.queryByRole('combobox')).toBeNull();
  open();
  fireEvent.change(screen.getByRole('combobox'), { target: { value: 'refunded' } });
  expect(screen.getAllByRole('option').map((o) => o.textContent)).toEqual(['No “refunded” yet']);
  fireEvent.keyDown(screen.getByRole('combobox'), { key: 'Escape' });
  expect(screen.queryByRole('combobox')).toBeNull();
  expect(picked).toEqual(['page_view']);
});
