/** The one way to choose an event, a property or a value: a word that opens a list, which takes typing at once. */
import { useId, useState, type ReactNode } from 'react';
import { IconChevronDown } from '@tabler/icons-react';
import { isEnter } from './index';
import { Popover } from './Popover';

export interface Option {
  value: string;
  /** What is read; the value when absent. */
  label?: string;
  note?: string;
  group?: string;
}

interface Props {
  /** What is chosen here, such as “Step 2”. */
  label: string;
  shown: ReactNode;
  options: readonly Option[];
  onPick: (value: string) => void;
  search: string;
  none: string;
  /** Offers what was typed when it is in no option; says how. */
  free?: (text: string) => string;
  /** Whether nothing is chosen yet. */
  open?: boolean;
  /** Whether the list is open from the start. */
  opened?: boolean;
  className?: string;
}

const plain = (text: string) => text.toLowerCase().replaceAll(/[_\s-]+/g, ' ').trim();
const most = 200;

/** The options that have the text in them, capitals and underscores aside: those that begin with it first. */
export function matching(options: readonly Option[], text: string): Option[] {
  const sought = plain(text);
  if (sought === '') return options.slice(0, most);
  const begins = (o: Option) => plain(o.label ?? o.value).startsWith(sought);
  const found = options.filter((o, i) => plain(o.label ?? o.value).includes(sought) && options.findIndex((x) => x.value === o.value) === i);
  return [...found.filter(begins), ...found.filter((o) => !begins(o))].slice(0, most);
}

export function Picker({ label, shown, open: empty = false, opened = false, className = '', ...list }: Props) {
  const [open, setOpen] = useState(opened);
  return (
    <span className="picker">
      <button type="button" className={`word ${empty ? 'blank' : ''} ${className}`} aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}>
        <span className="sr">{label}: </span>
        <span className="truncate">{shown}</span>
        <IconChevronDown size={14} aria-hidden />
      </button>
      {open && (
        <Popover label={label} onClose={() => setOpen(false)}>
          <List
            {...list}
            label={label}
            onPick={(value) => {
              setOpen(false);
              list.onPick(value);
            }}
          />
        </Popover>
      )}
    </span>
  );
}

function List({ label, options, onPick, search, none, free }: Omit<Props, 'shown' | 'open' | 'opened' | 'className'>) {
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const id = useId();
  const found = matching(options, text);
  const typed = text.trim();
  const items: Option[] = free && typed !== '' && !options.some((o) => o.value === typed) ? [...found, { value: typed, label: free(typed), group: '' }] : found;
  const now = Math.min(at, items.length - 1);
  const move = (to: number) => {
    setAt(to);
    document.getElementById(`${id}-${to}`)?.scrollIntoView({ block: 'nearest' });
  };
  return (
    <>
      <input
        className="input"
        role="combobox"
        aria-label={label}
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={items.length > 0 ? `${id}-${now}` : undefined}
        placeholder={search}
        autoComplete="off"
        spellCheck={false}
        maxLength={1000}
        value={text}
        onChange={(e) => {
          setText(e.target.value);
          setAt(0);
        }}
        onKeyDown={(e) => {
          const to = { ArrowDown: Math.min(items.length - 1, now + 1), ArrowUp: Math.max(0, now - 1) }[e.key];
          if (to !== undefined) {
            e.preventDefault();
            move(to);
          }
          if (isEnter(e) && items[now]) {
            e.preventDefault();
            onPick(items[now].value);
          }
        }}
      />
      <ul id={id} role="listbox" aria-label={label} className="options">
        {items.map((o, i) => (
          <li key={`${o.group} ${o.value}`} id={`${id}-${i}`} role="option" aria-selected={i === now} onPointerMove={() => setAt(i)} onClick={() => onPick(o.value)}>
            <span className="truncate">{o.label ?? o.value}</span>
            {(o.note || (o.group && o.group !== items[i - 1]?.group)) && <span className="note">{o.note ?? o.group}</span>}
          </li>
        ))}
      </ul>
      {items.length === 0 && <p className="muted small none" role="status">{none}</p>}
    </>
  );
}

/** A word of a sentence of which there are only a few. */
export function Choice<T extends string>({ label, value, options, onChange }: { label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (value: T) => void }) {
  return (
    <select className="word" aria-label={label} value={value} onChange={(e) => onChange(e.target.value as T)}>
      {options.map(([name, text]) => (
        <option key={name} value={name}>{text}</option>
      ))}
    </select>
  );
}
