import { useState, type ReactNode } from 'react';
import { m } from '../messages';
import { Button, Dialog, Failure, fieldsOf, TextField } from '../ui';

export interface Named {
  name: string;
  description: string;
}

/** Asks for the name and the description of an insight, a board or a cohort, and for what its children ask beside them. */
export function Naming({ title, action, placeholder, busy, error, conflict, disabled = false, children, onSubmit, onClose, ...old }: Named & { disabled?: boolean; children?: ReactNode; title: string; action: string; placeholder?: string; busy: boolean; error: unknown; conflict?: ReactNode; onSubmit: (named: Named) => void; onClose: () => void }) {
  const [name, setName] = useState(old.name);
  const [description, setDescription] = useState(old.description);
  const fields = fieldsOf(error);
  const [wrongName, wrongDescription] = [fields['name'], fields['description']];
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          onSubmit({ name: name.trim(), description: description.trim() });
        }}
      >
        <div className="stack">
          <TextField label={m.reports.name} placeholder={placeholder} required maxLength={100} autoFocus value={name} error={wrongName} onChange={(e) => setName(e.target.value)} />
          <TextField label={m.reports.description} maxLength={1000} value={description} error={wrongDescription} hint={m.reports.optional} onChange={(e) => setDescription(e.target.value)} />
          {children}
          {conflict || (error !== null && !wrongName && !wrongDescription && <Failure error={error} />)}
        </div>
        <div className="actions">
          <Button onClick={onClose}>{m.cancel}</Button>
          <Button kind="primary" type="submit" busy={busy} disabled={disabled || name.trim() === ''}>{action}</Button>
        </div>
      </form>
    </Dialog>
  );
}
