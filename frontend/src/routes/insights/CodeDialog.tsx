import { useState } from 'react';
import { nimbusUrl } from '../../base';
import { beforeOf } from '../../insights/against';
import { bodyOf } from '../../insights/body';
import { asCurl, asGo, asTypeScript, insightCall } from '../../insights/code';
import type { InsightState } from '../../insights/state';
import { m } from '../../messages';
import { weekOf } from '../../query/question';
import { Code, Dialog, Segments } from '../../ui';

const languages = { curl: asCurl, TypeScript: asTypeScript, Go: asGo };

export default function CodeDialog({ projectId, state, onClose }: { projectId: string; state: InsightState; onClose: () => void }) {
  const [now] = useState(Date.now);
  const week = weekOf(projectId);
  const body = bodyOf(state, now, week);
  const before = beforeOf(state, body, now, week);
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
        <Code text={languages[language](insightCall(projectId, of === 'before' && before ? { ...body, ...before } : body), nimbusUrl)} />
      </div>
    </Dialog>
  );
}
