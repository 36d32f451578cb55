import { IconCode } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import type { InsightState } from '../../insights/state';
import { m } from '../../messages';
import { Button } from '../../ui';

const CodeDialog = lazy(() => import('./CodeDialog'));

/** Shows the question as code. */
export function CodeButton({ projectId, state, disabled = false }: { projectId: string; state: InsightState; disabled?: boolean }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button disabled={disabled} onClick={() => setOpen(true)}><IconCode size={16} aria-hidden />{m.explore.code}</Button>
      {open && <Suspense fallback={null}><CodeDialog projectId={projectId} state={state} onClose={() => setOpen(false)} /></Suspense>}
    </>
  );
}
