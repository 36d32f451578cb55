import { fireEvent, render, screen } from '@testing-library/react';
import { expect, it, vi } from 'vitest';
import { Dialog } from '.';

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
