/** Short messages in the corner of the screen. One may offer to undo what it tells of. */
import { useSyncExternalStore } from 'react';
import { signal } from '../lib/signal';
import { m } from '../messages';

const short = 4000;
const toUndo = 10_000;

interface Message {
  id: number;
  text: string;
  undo?: (() => void) | undefined;
  /** Done when the time to undo is over. */
  after?: (() => void) | undefined;
  timer?: ReturnType<typeof setTimeout>;
}

let messages: readonly Message[] = [];
let nextID = 0;
const { watch, notify } = signal();

function dismiss(id: number) {
  const message = messages.find((x) => x.id === id);
  if (!message) return;
  clearTimeout(message.timer);
  messages = messages.filter((x) => x.id !== id);
  notify();
  message.after?.();
}

/** The time does not run while somebody points at the message or has its button in focus (WCAG 2.2.1). */
function hold(message: Message) {
  clearTimeout(message.timer);
}
function start(message: Message) {
  clearTimeout(message.timer);
  message.timer = setTimeout(() => dismiss(message.id), message.undo ? toUndo : short);
}

/** Shows a message, and returns what takes it away before its time. */
export function toast(text: string, { undo, after }: Pick<Message, 'undo' | 'after'> = {}): () => void {
  const message: Message = { id: nextID++, text, undo, after };
  messages = [...messages, message];
  start(message);
  notify();
  return () => dismiss(message.id);
}

// Whoever leaves the page does not undo any more.
addEventListener('pagehide', () => messages.forEach((message) => dismiss(message.id)));

export function Toasts() {
  const list = useSyncExternalStore(watch, () => messages);
  return (
    <div className="toasts" role="status">
      {list.map((message) => (
        <div key={message.id} className="toast" onPointerEnter={() => hold(message)} onPointerLeave={() => start(message)} onFocus={() => hold(message)} onBlur={() => start(message)}>
          <span className="grow">{message.text}</span>
          {message.undo && (
            <button
              type="button"
              onClick={() => {
                message.undo?.();
                message.after = undefined;
                dismiss(message.id);
              }}
            >
              {m.undo}
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
