import { fireEvent, render, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { NimbusError } from '@nimbus-analytics/sdk';
import { Dialog, Failure, sentence, TextField } from '.';

it('is closed by a click beside it, and not by one where it has no text', () => {
  Object.assign(HTMLDialogElement.prototype, { showModal() {}, close() {} }); // what jsdom lacks
  const onClose = vi.fn();
  render(<Dialog title="Event" onClose={onClose}>text</Dialog>);
  const dialog = screen.getByRole('dialog', { hidden: true });
  dialog.getBoundingClientRect = () => new DOMRect(400, 0, 560, 800);
  fireEvent.pointerDown(dialog, { clientX: 500, clientY: 700 });
  fireEvent.pointerDown(screen.getByText('text'), { clientX: 300, clientY: 700 }); // the list of a select, or a dialog above it
  expect(onClose).not.toHaveBeenCalled();
  fireEvent.pointerDown(dialog, { clientX: 300, clientY: 700 });
  expect(onClose).toHaveBeenCalledOnce();
});

it('says in a sentence what is wrong with a field, beside its hint', () => {
  render(<TextField label="Password" hint="At least 8 characters." error="must also contain a digit" />);
  const field = screen.getByLabelText('Password');
  expect(screen.getByText('Password must also contain a digit.')).toBeTruthy();
  const described = field.getAttribute('aria-describedby')!.split(' ').map((id) => document.getElementById(id)?.textContent);
  expect(described).toEqual(['At least 8 characters.', 'Password must also contain a digit.']);
  expect([sentence('From', 'The first day must be before the last.'), sentence('Name', 'Too long')]).toEqual(['The first day must be before the last.', 'Too long.']);
});
it('gives the id of a request for faults of the server only', () => {
  const { rerender } = render(<Failure error={new NimbusError({ status: 401, code: 'invalid_credentials', title: 'Wrong', request_id: 'r1' })} />);
  expect(screen.queryByText('r1')).toBeNull();
  rerender(<Failure error={new NimbusError({ status: 500, code: 'internal', title: 'A fault', request_id: 'r2' })} />);
  expect(screen.getByText('r2')).toBeTruthy();
});
