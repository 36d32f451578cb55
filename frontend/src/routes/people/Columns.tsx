/** Which properties of profiles are columns. */
import { IconColumns3 } from '@tabler/icons-react';
import { useState } from 'react';
import type { KnownProp } from '../../hooks';
import { p } from '../../people/messages';
import { Button, TextField } from '../../ui';
import { Popover } from '../../ui/Popover';

const most = 20;

export function Columns({ known, columns, usual, onChange }: { known: readonly KnownProp[]; columns: readonly string[]; usual: boolean; onChange: (columns: string[] | undefined) => void }) {
  const [open, setOpen] = useState(false);
  // One that nobody on the first pages has stays in the list while it is shown.
  const names = [...new Set([...known.map(({ name }) => name), ...columns])];
  return (
    <span className="picker">
      <Button aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(!open)}><IconColumns3 size={16} aria-hidden />{p.list.columns}</Button>
      {open && (
        <Popover label={p.list.columnsShown} onClose={() => setOpen(false)}>
          {names.length === 0 ? (
            <p className="muted small hint">{p.list.columnsNone}</p>
          ) : (
            <fieldset className="columns">
              <legend className="label">{p.list.columnsShown}</legend>
              {names.map((name) => (
                <label key={name} className="check">
                  <input type="checkbox" checked={columns.includes(name)} disabled={!columns.includes(name) && columns.length >= most} onChange={(e) => onChange(e.target.checked ? [...columns, name] : columns.filter((x) => x !== name))} />
                  <span className="truncate">{name}</span>
                </label>
              ))}
            </fieldset>
          )}
          <form
            className="row bottom"
            onSubmit={(e) => {
              e.preventDefault();
              const name = (new FormData(e.currentTarget).get('name') as string).trim();
              if (name && !columns.includes(name) && columns.length < most) onChange([...columns, name]);
              e.currentTarget.reset();
            }}
          >
            <TextField label={p.list.columnAdd} name="name" maxLength={200} autoComplete="off" spellCheck={false} required />
            <Button type="submit">{p.list.columnAddAction}</Button>
          </form>
          {!usual && <Button kind="quiet" className="tiny" onClick={() => onChange(undefined)}>{p.list.columnsUsual}</Button>}
        </Popover>
      )}
    </span>
  );
}
