import { IconCode } from '@tabler/icons-react';
import { lazy, Suspense, useState } from 'react';
import { isComplete } from '../../insights/body';
import type { InsightState } from '../../insights/state';
import { m } from '../../messages';
import { Button } from '../../ui';

const CodeDialog = lazy(() => import('./CodeDialog'));

/** Shows the question as code. */
export function CodeButton({ projectId, state }: { projectId: string; state: InsightState }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button disabled={!isComplete(state)} onClick={() => setOpen(true)}><IconCode size={16} aria-hidden />{m.explore.code}</Button>
      {open && <Suspense fallback={null}><CodeDialog projectId={projectId} state={state} onClose={() => setOpen(false)} /></Suspense>}
    </>
  );
}
