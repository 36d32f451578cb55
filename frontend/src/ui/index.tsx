/** The few components that every page is made of. They are native elements with a class: see ui.css. */
import { NimbusError } from '@nimbus-analytics/sdk';
import { IconAlertTriangle, IconCheck, IconCopy, IconLock, IconX, type Icon } from '@tabler/icons-react';
import { useCallback, useId, useLayoutEffect, useRef, useState, useSyncExternalStore, type ButtonHTMLAttributes, type InputHTMLAttributes, type KeyboardEvent, type PointerEvent, type ReactNode, type RefObject, type SelectHTMLAttributes } from 'react';
import { m } from '../messages';
import { percent } from '../format';

export function Button({ kind, busy, className = '', ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { kind?: 'primary' | 'danger' | 'quiet'; busy?: boolean }) {
  return (
    <button type="button" {...rest} className={`button ${kind ?? ''} ${className}`} disabled={rest.disabled || busy} aria-busy={busy || undefined}>
      {busy && <span className="spinner" />}
      {rest.children}
    </button>
  );
}

export function IconButton({ label, icon: Glyph, ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { label: string; icon: Icon }) {
  return (
    <Button kind="quiet" {...rest} className={`icon ${rest.className ?? ''}`} aria-label={label} title={label}>
      <Glyph size={18} aria-hidden />
    </Button>
  );
}

type FieldProps = { label: string; hint?: ReactNode; error?: string | undefined };

function Field({ label, hint, error, id, children }: FieldProps & { id: string; children: ReactNode }) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
      {hint && <span className="hint" id={`${id}-hint`}>{hint}</span>}
      {error && <span className="error" id={`${id}-error`}>{sentence(label, error)}</span>}
    </div>
  );
}

/** What is wrong with each field of a form, by its name; nothing when the error is about something else. */
export const fieldsOf = (error: unknown): Record<string, string> => (error instanceof NimbusError ? error.byField() : {});

/** What is wrong with a field as a sentence. The server says “must be …”, without the name that the field has on the page. */
export function sentence(label: string, error: string): string {
  const text = /^\p{Ll}/u.test(error) ? `${label} ${error}` : error;
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

export function TextField({ label, hint, error, ...rest }: FieldProps & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  return (
    <Field {...{ label, hint, error, id }}>
      <input {...rest} id={id} className="input" aria-invalid={error ? true : undefined} aria-describedby={[hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined} />
    </Field>
  );
}

export function SelectField({ label, hint, error, children, ...rest }: FieldProps & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId();
  return (
    <Field {...{ label, hint, error, id }}>
      <select {...rest} id={id} className="input" aria-invalid={error ? true : undefined} aria-describedby={[hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ') || undefined}>
        {children}
      </select>
    </Field>
  );
}

/** Whether a key is Enter that confirms; while an input method (Japanese, Chinese) composes, Enter belongs to it. */
export const isEnter = (e: KeyboardEvent) => e.key === 'Enter' && !e.nativeEvent.isComposing;

/** A text field that commits on Enter, on leaving it, or on choosing a suggestion; not at every key. */
export function CommitField({ value, onCommit, onType, suggestions, ...rest }: FieldProps & Omit<InputHTMLAttributes<HTMLInputElement>, 'value' | 'onChange'> & { value: string; onCommit: (value: string) => void; onType?: (text: string) => void; suggestions?: string[] }) {
  const [draft, setDraft] = useState<string>();
  const list = useId();
  const commit = () => {
    if (draft !== undefined && draft !== value) onCommit(draft.trim());
    setDraft(undefined);
  };
  return (
    <>
      <TextField
        {...rest}
        value={draft ?? value}
        list={suggestions ? list : undefined}
        autoComplete="off"
        spellCheck={false}
        onChange={(e) => {
          // Choosing a suggestion commits; typing the same letters does not yet.
          onType?.(e.target.value);
          const chosen = !('inputType' in e.nativeEvent) || e.nativeEvent.inputType === 'insertReplacementText';
          if (chosen && suggestions?.includes(e.target.value)) {
            onCommit(e.target.value);
            setDraft(undefined);
          } else setDraft(e.target.value);
        }}
        onBlur={commit}
        onKeyDown={(e) => isEnter(e) && commit()}
      />
      {suggestions && (
        <datalist id={list}>
          {suggestions.map((s) => (
            <option key={s} value={s} />
          ))}
        </datalist>
      )}
    </>
  );
}

export function Segments<T extends string>({ label, value, options, onChange }: { label: string; value: T | undefined; options: readonly { value: T; label: ReactNode; title?: string }[]; onChange: (value: T) => void }) {
  return (
    <div className="segments" role="group" aria-label={label}>
      {options.map((o) => (
        <button key={o.value} type="button" aria-pressed={o.value === value} aria-label={o.title} title={o.title} onClick={() => onChange(o.value)}>
          {o.label}
        </button>
      ))}
    </div>
  );
}

/** Asks before something that cannot be undone. */
export function Confirm({ title, text, action, busy, error, onConfirm, onClose }: { title: string; text: ReactNode; action: string; busy: boolean; error: unknown; onConfirm: () => void; onClose: () => void }) {
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="stack">
        <p className="muted">{text}</p>
        {error !== null && error !== undefined && <Failure error={error} />}
      </div>
      <div className="actions">
        <Button onClick={onClose}>{m.cancel}</Button>
        <Button kind="danger" busy={busy} onClick={onConfirm}>{action}</Button>
      </div>
    </Dialog>
  );
}

/**
 * Opens a dialog while it is mounted. The browser gives the focus back only when the dialog is closed, not when it is
 * removed, and only while it is still in the page: hence a layout effect.
 */
export function useModal(ref: RefObject<HTMLDialogElement | null>) {
  useLayoutEffect(() => {
    const dialog = ref.current!;
    // The page behind loses its scrollbar: as wide a padding (ui.css) keeps it from moving.
    if (!document.querySelector('dialog[open]')) document.documentElement.style.setProperty('--gutter', `${innerWidth - document.documentElement.offsetWidth}px`);
    dialog.showModal();
    dialog.querySelector<HTMLElement>('input, select, textarea')?.focus(); // the first field, not the close button
    return () => dialog.close();
  }, [ref]);
}

/** Whether a click was beside a dialog. The backdrop reports the dialog as its target, and so do the dialog's own margins: only the position tells. */
function isBeside({ target, currentTarget, clientX, clientY }: PointerEvent): boolean {
  const { left, right, top, bottom } = currentTarget.getBoundingClientRect();
  return target === currentTarget && (clientX < left || clientX > right || clientY < top || clientY > bottom);
}

/** A modal dialog; the browser keeps the focus in it and closes it on Escape. */
export function Dialog({ title, onClose, children, variant = '', sticky = false }: { title: string; onClose: () => void; children: ReactNode; variant?: '' | 'wide' | 'side'; sticky?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useModal(ref);
  return (
    <dialog
      ref={ref}
      className={variant}
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault();
        if (!sticky) onClose();
      }}
      onPointerDown={(e) => !sticky && isBeside(e) && onClose()}
    >
      <div className="head">
        <h2 id={id} className="grow">{title}</h2>
        {!sticky && <IconButton label={m.close} icon={IconX} onClick={onClose} />}
      </div>
      <div className="content">{children}</div>
    </dialog>
  );
}

export function CopyButton({ text, label = m.copy, className = 'tiny' }: { text: string; label?: string; className?: string }) {
  const [state, setState] = useState<'copied' | 'failed'>();
  const Glyph = state === 'copied' ? IconCheck : state === 'failed' ? IconX : IconCopy;
  return (
    <Button
      className={className}
      onClick={() => {
        void copy(text).then((done) => {
          setState(done ? 'copied' : 'failed');
          setTimeout(() => setState(undefined), done ? 1500 : 4000);
        });
      }}
    >
      <Glyph size={15} aria-hidden />
      <span aria-live="polite">{state === 'copied' ? m.copied : state === 'failed' ? m.notCopied : label}</span>
    </Button>
  );
}

/** Copies a text. Browsers give the clipboard to secure pages only; on plain http, as in an office network, the old command still works. */
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const before = document.activeElement;
    const area = document.createElement('textarea');
    area.value = text;
    (before?.closest('dialog') ?? document.body).append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (before instanceof HTMLElement) before.focus();
    return done;
  }
}

export function Code({ text, wrap }: { text: string; wrap?: boolean }) {
  return (
    <div className="code">
      <pre className={wrap ? 'wrap' : ''} tabIndex={0}>{text}</pre>
      <CopyButton text={text} />
    </div>
  );
}

export function Notice({ kind = '', icon: Glyph, children, role }: { kind?: '' | 'good' | 'bad' | 'warn'; icon: Icon; children: ReactNode; role?: 'alert' | 'status' }) {
  return (
    <div className={`notice ${kind}`} role={role}>
      <Glyph size={17} aria-hidden />
      <div className="grow">{children}</div>
    </div>
  );
}

/** Whole seconds until an instant, counted down to 0. */
export function useSecondsUntil(instant: number): number {
  const tick = useCallback(
    (changed: () => void) => {
      const timer = setInterval(() => {
        changed();
        if (Date.now() >= instant) clearInterval(timer);
      }, 250);
      return () => clearInterval(timer);
    },
    [instant],
  );
  return useSyncExternalStore(tick, () => Math.max(0, Math.ceil((instant - Date.now()) / 1000)));
}

/** An error: what went wrong and what to do. Limits and missing roles are warnings; a fault of the server has a request id to quote to its operator. */
export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const e = error instanceof NimbusError ? error : undefined;
  const heavy = e?.code === 'query_too_heavy';
  const forbidden = e?.code === 'insufficient_role';
  return (
    <Notice kind={heavy || forbidden || e?.status === 429 ? 'warn' : 'bad'} icon={forbidden ? IconLock : IconAlertTriangle} role="alert">
      <strong>{heavy ? m.error.tooHeavy : forbidden ? m.error.forbidden : (e?.title || m.error.title)}</strong>
      {(!e || (e.detail && e.detail.replace(/\.$/, '') !== e.title)) && <p className="wrap-any">{e?.detail ?? m.error.unexpected}</p>}
      {heavy && <p>{m.error.tooHeavyHelp}</p>}
      {(e?.errors ?? []).map((f) => (
        <p key={f.pointer + f.code} className="small"><span className="mono">{f.pointer}</span> {f.detail}</p>
      ))}
      <div className="row wrap" style={{ marginTop: 8 }}>
        {retry && !forbidden && <Retry error={e} retry={retry} />}
        {e?.request_id && e.status >= 500 && <span className="row wrap small muted">{m.error.requestId} <code>{e.request_id}</code><CopyButton text={e.request_id} /></span>}
      </div>
    </Notice>
  );
}

/** The retry button; disabled until the server's Retry-After is over. */
function Retry({ error, retry }: { error: NimbusError | undefined; retry: () => void }) {
  const [seen] = useState(Date.now);
  const left = useSecondsUntil(error?.status === 429 ? seen + (error.retryAfter ?? 0) * 1000 : 0);
  return <Button className="tiny" disabled={left > 0} onClick={retry}>{left > 0 ? m.error.retryIn(left) : m.error.retry}</Button>;
}

/** Says in advance that the role does not allow something. */
export function NeedsRole({ children }: { children: ReactNode }) {
  return <Notice icon={IconLock}>{children}</Notice>;
}

export function Empty({ icon: Glyph, title, heading: Heading = 'h2', children }: { icon: Icon; title: string; heading?: 'h1' | 'h2'; children: ReactNode }) {
  return (
    <div className="empty">
      <Glyph size={32} stroke={1.5} aria-hidden />
      <Heading>{title}</Heading>
      {children}
    </div>
  );
}

export function Skeleton({ height, width }: { height: number; width?: number | string }) {
  return <div className="skeleton" style={{ height, width }} aria-hidden />;
}

/** A relative change, with an arrow and a colour, and in words for screen readers. */
export function Delta({ value }: { value: number | undefined }) {
  if (value === undefined) return null;
  const direction = value > 0 ? 'up' : value < 0 ? 'down' : '';
  return (
    <span className={`delta ${direction}`}>
      <span aria-hidden>{value > 0 ? '↑' : value < 0 ? '↓' : ''}</span>
      <span className="sr">{value > 0 ? m.delta.up : value < 0 ? m.delta.down : m.delta.same}</span> {percent(Math.abs(value))}
    </span>
  );
}

export { toast, Toasts } from './toast';
