import { useRouter, useRouterState } from '@tanstack/react-router';
import { IconArrowBackUp, IconArrowForwardUp } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { w } from '../../insights/messages';
import { IconButton } from '../../ui';

/** Takes back what was changed of a question since the page was opened, and brings it again: the address has every state. */
export function Undo() {
  const { history } = useRouter();
  const at = useRouterState({ select: (s) => s.location.state.__TSR_index });
  const [first] = useState(at);
  const [last, setLast] = useState(at);
  // A change makes void what had been taken back.
  useEffect(() => history.subscribe(({ location, action }) => action.type === 'PUSH' && setLast(location.state.__TSR_index)), [history]);
  useEffect(() => {
    const onKey = (e: KeyboardEvent) => {
      if (!(e.metaKey || e.ctrlKey) || e.key.toLowerCase() !== 'z' || (e.target as HTMLElement).closest('input, textarea, select, dialog')) return;
      const by = e.shiftKey ? 1 : -1;
      if (by === 1 ? at >= last : at <= first) return;
      e.preventDefault();
      history.go(by);
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [history, at, first, last]);
  return (
    <span className="row" style={{ gap: 2 }}>
      <IconButton label={w.undo} icon={IconArrowBackUp} disabled={at <= first} onClick={() => history.back()} />
      <IconButton label={w.redo} icon={IconArrowForwardUp} disabled={at >= last} onClick={() => history.forward()} />
    </span>
  );
}
