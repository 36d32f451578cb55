import { runMetricsQueryOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { nimbusUrl } from '../../base';
import { bodyOf } from '../../insights/body';
import { asCurl, asGo, asTypeScript, insightCall, trendsCall, type Call } from '../../insights/code';
import type { InsightState } from '../../insights/state';
import { m } from '../../messages';
import { during } from '../../query/compare';
import { questionOf, weekOf } from '../../query/question';
import { unitBefore, windowBefore } from '../../query/range';
import { Code, Dialog, Segments } from '../../ui';

const languages = { curl: asCurl, TypeScript: asTypeScript, Go: asGo };

/** The question of the period before, which begins where the answer says. */
function useBefore(question: ReturnType<typeof questionOf>, compare: boolean, span: { from: string; to: string } | undefined): Call | undefined {
  const now = useQuery({ ...runMetricsQueryOptions({ body: question ?? { project_id: '' } }), enabled: compare && question !== undefined });
  return compare && question && now.data ? trendsCall(during(question, span ? { bucket: now.data.bucket, ...span } : windowBefore(now.data))) : undefined;
}

export default function CodeDialog({ projectId, state, onClose }: { projectId: string; state: InsightState; onClose: () => void }) {
  const [now] = useState(Date.now);
  const trends = state.kind === undefined ? questionOf(state, projectId) : undefined;
  const call = state.kind === undefined ? trends && trendsCall(trends) : insightCall(projectId, bodyOf(state, now, weekOf(projectId)));
  const before = useBefore(trends, state.kind === undefined && state.compare === true, unitBefore(state, state.tz, weekOf(projectId), now));
  const [language, setLanguage] = useState<keyof typeof languages>('curl');
  const [of, setOf] = useState<'now' | 'before'>('now');
  return (
    <Dialog title={m.explore.codeTitle} onClose={onClose} variant="wide">
      <div className="stack">
        <p className="muted">{m.explore.codeText}</p>
        <div className="row wrap">
          <Segments label={m.explore.code} value={language} onChange={setLanguage} options={(Object.keys(languages) as (keyof typeof languages)[]).map((l) => ({ value: l, label: l }))} />
          {before && <Segments label={m.explore.codeOf} value={of} onChange={setOf} options={[{ value: 'now', label: m.explore.codeNow }, { value: 'before', label: m.explore.codeBefore }]} />}
        </div>
        {call && <Code text={languages[language](of === 'before' && before ? before : call, nimbusUrl)} />}
      </div>
    </Dialog>
  );
}
