import type { ReactNode } from 'react';

/** A part of a drawing that is a button: by mouse, by touch and by keyboard. */
export function Mark({ label, onOpen, className = '', children, ...rest }: { label: string; onOpen: (() => void) | undefined; className?: string; children: ReactNode; 'data-mark'?: string; onPointerEnter?: () => void; onPointerLeave?: () => void; onFocus?: () => void; onBlur?: () => void }) {
  if (!onOpen) return <g className={className}>{children}</g>;
  return (
    <g
      {...rest}
      role="button"
      tabIndex={0}
      aria-label={label}
      className={`mark ${className}`}
      onClick={onOpen}
      onKeyDown={(e) => {
        if (e.key !== 'Enter' && e.key !== ' ') return;
        e.preventDefault();
        onOpen();
      }}
    >
      <title>{label}</title>
      {children}
    </g>
  );
}
