import { act, fireEvent, render, screen } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { toast, Toasts } from '.';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const pass = (ms: number) => act(() => void vi.advanceTimersByTime(ms));

it('does what can be undone when the time for it is over, and not while somebody points at the message', () => {
  render(<Toasts />);
  const [undo, after] = [vi.fn(), vi.fn()];
  act(() => void toast('Gone.', { undo, after }));
  pass(5000);
  fireEvent.pointerEnter(screen.getByText('Gone.').parentElement!);
  pass(60_000);
  expect(after).not.toHaveBeenCalled();
  fireEvent.pointerLeave(screen.getByText('Gone.').parentElement!);
  pass(10_000);
  expect(after).toHaveBeenCalledOnce();
  expect(undo).not.toHaveBeenCalled();
  expect(screen.queryByText('Gone.')).toBeNull();
});
it('does not do what was undone, and does what is left when the page goes', () => {
  render(<Toasts />);
  const [undo, first, second] = [vi.fn(), vi.fn(), vi.fn()];
  act(() => void toast('One.', { undo, after: first }));
  fireEvent.click(screen.getByRole('button', { name: 'Undo' }));
  act(() => void toast('Two.', { undo, after: second }));
  act(() => void dispatchEvent(new Event('pagehide')));
  expect([undo.mock.calls.length, first.mock.calls.length, second.mock.calls.length]).toEqual([1, 0, 1]);
});
