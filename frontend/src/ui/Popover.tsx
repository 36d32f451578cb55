import { useEffect, useEffectEvent, useRef, type ReactNode } from 'react';
import './picker.css';

/** What opens below a word of a sentence; on a phone, a sheet at the bottom. A click beside it and Escape close it. */
export function Popover({ label, onClose, children }: { label: string; onClose: () => void; children: ReactNode }) {
  const ref = useRef<HTMLDivElement>(null);
  const close = useEffectEvent(onClose);
  useEffect(() => {
    const element = ref.current!;
    const opener = element.parentElement?.querySelector<HTMLElement>('button, select');
    element.querySelector<HTMLElement>('input, select, button')?.focus();
    // Where it would stick out at the right, it moves to the left.
    const over = element.getBoundingClientRect().right - document.documentElement.clientWidth + 12;
    if (over > 0) element.style.setProperty('--shift', `${-over}px`);
    const onPointerDown = (e: PointerEvent) => {
      if (e.target instanceof Node && !element.parentElement!.contains(e.target)) close();
    };
    document.addEventListener('pointerdown', onPointerDown);
    return () => {
      document.removeEventListener('pointerdown', onPointerDown);
      if (element.contains(document.activeElement) || document.activeElement === document.body) opener?.focus();
    };
  }, []);
  return (
    <div
      ref={ref}
      className="popover"
      role="dialog"
      aria-label={label}
      onKeyDown={(e) => {
        if (e.key !== 'Escape') return;
        e.stopPropagation();
        onClose();
      }}
    >
      {children}
    </div>
  );
}
