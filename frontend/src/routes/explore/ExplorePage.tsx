import type { MetricsQuery, MetricsResult } from '@nimbus-analytics/sdk';
import { runMetricsQueryOptions } from '@nimbus-analytics/sdk/react-query';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { IconChartArea, IconChartBar, IconChartLine, IconCode, IconDownload, IconNumbers, IconPhoto, IconRefresh, IconSearchOff, IconTable, IconX, IconZoomOut, type Icon } from '@tabler/icons-react';
import { useMemo, useRef, useState } from 'react';
import type { Series } from '../../charts/series';
import { nimbusUrl } from '../../base';
import { date } from '../../format';
import { useEventNames, useProject, usePropNames, useReport } from '../../hooks';
import { download, downloadCsv } from '../../lib/download';
import { m } from '../../messages';
import { zones } from '../../prefs';
import { Button, Code, CommitField, CopyButton, Dialog, Empty, Failure, Segments, SelectField, Skeleton } from '../../ui';
import { useAnswer } from '../../query/answer';
import { asCurl, asGo, asTypeScript } from './code';
import { Drawing } from '../../query/Drawing';
import { FilterEditor } from './FilterEditor';
import { during } from '../../query/compare';
import { picture } from './picture';
import { bucketOf, fileName, needsProp, questionOf, questionText, rowsOf, seriesCount } from '../../query/question';
import { autoBucket, buckets, describeRange, fits, longest, windowBefore, within } from '../../query/range';
import { isExplored } from '../../query/report';
import { RangePicker } from '../../query/RangePicker';
import { BigNumber, BucketTable, SeriesTable } from '../../query/results';
import { ReportTitle, SaveButtons, ViewerNote } from './Saving';
import { charts, measures, unzoomed, usualTop, zoomed, type Chart, type ExploreState } from '../../query/search';
import './explore.css';

const chartIcons: Record<Chart, Icon> = { line: IconChartLine, area: IconChartArea, bar: IconChartBar, table: IconTable, number: IconNumbers };

export function ExplorePage() {
  const state = useSearch({ from: '/app/projects/$projectId/explore' });
  const navigate = useNavigate({ from: '/projects/$projectId/explore' });
  const set = (change: Partial<ExploreState>) => void navigate({ search: (s) => ({ ...s, ...change }) });
  const project = useProject()!;
  const question = useMemo(() => questionOf(state, project.id), [state, project.id]);
  const kept = useReport(project.id, state.report);
  const report = kept.data && isExplored(kept.data) ? kept.data : undefined;
  const [code, setCode] = useState(false);
  return (
    <>
      <header className="page-head">
        <ReportTitle state={state} report={report} error={kept.error} pending={kept.isPending} />
        <div className="row wrap end">
          {state.unzoom && <Button onClick={() => set(unzoomed(state))}><IconZoomOut size={16} aria-hidden />{m.explore.zoomOut}</Button>}
          <RangePicker range={state} zone={state.tz} onChange={(r) => set({ range: undefined, from: undefined, to: undefined, bucket: undefined, unzoom: undefined, ...r })} />
          <CopyButton className="" text={location.href} label={m.explore.share} />
          <Button onClick={() => setCode(true)} disabled={!question}><IconCode size={16} aria-hidden />{m.explore.code}</Button>
          <SaveButtons projectId={project.id} state={state} report={report} onSaved={(id) => set({ report: id })} />
        </div>
      </header>
      <ViewerNote />
      <div className="explore">
        <Builder state={state} set={set} />
        {question ? <Answer state={state} set={set} question={question} /> : <section className="panel"><Empty icon={IconNumbers} title={m.explore.propNeeded}><p>{m.explore.needProp}</p></Empty></section>}
      </div>
      {code && question && <CodeDialog question={question} compare={state.compare === true} onClose={() => setCode(false)} />}
    </>
  );
}

type Set = (change: Partial<ExploreState>) => void;

function Builder({ state, set }: { state: ExploreState; set: Set }) {
  const [typed, setTyped] = useState('');
  const names = useEventNames(typed);
  const props = usePropNames(state.names?.length === 1 ? state.names[0] : undefined);
  const [askProp, setAskProp] = useState(false);
  const byProp = state.by?.startsWith('prop:') ? state.by.slice('prop:'.length) : undefined;
  const chosen = state.names ?? [];
  const measure = state.measure ?? 'count';
  return (
    <section className="panel builder" aria-label={m.explore.query}>
      <div className="field">
        <CommitField
          label={m.explore.events}
          placeholder={chosen.length > 0 ? m.explore.addEvent : m.explore.allEvents}
          value=""
          suggestions={names.filter((n) => !chosen.includes(n))}
          onType={setTyped}
          onCommit={(name) => name && set({ names: [...new Set([...chosen, name])] })}
        />
        {chosen.length > 0 && (
          <div className="chips">
            {chosen.map((name) => (
              <button key={name} type="button" className="chip" aria-label={m.explore.remove(name)} onClick={() => set({ names: chosen.length > 1 ? chosen.filter((n) => n !== name) : undefined })}>
                <span className="truncate">{name}</span>
                <IconX size={14} aria-hidden />
              </button>
            ))}
          </div>
        )}
      </div>
      <SelectField label={m.explore.measure} value={measure} onChange={(e) => set({ measure: e.target.value as ExploreState['measure'] })}>
        {measures.map((x) => (
          <option key={x} value={x}>{m.explore.measures[x]}</option>
        ))}
      </SelectField>
      {needsProp(measure) && (
        <CommitField label={m.explore.prop} placeholder={m.explore.propPlaceholder} value={state.prop ?? ''} suggestions={props.numeric} error={state.prop ? undefined : m.explore.propNeeded} onCommit={(prop) => set({ prop: prop || undefined })} />
      )}
      <div className={state.by ? 'pair' : ''}>
        <SelectField
          label={m.explore.by}
          value={askProp ? 'ask' : (state.by ?? '')}
          onChange={(e) => {
            setAskProp(e.target.value === 'ask');
            if (e.target.value !== 'ask') set({ by: e.target.value || undefined, only: undefined });
          }}
        >
          <option value="">{m.explore.byNone}</option>
          <option value="name">{m.explore.byName}</option>
          {[...new Set([...props.all, ...(byProp ? [byProp] : [])])].map((name) => (
            <option key={name} value={`prop:${name}`}>{m.explore.byProp(name)}</option>
          ))}
          <option value="ask">{m.explore.byOther}</option>
        </SelectField>
        {state.by && (
          <SelectField label={m.explore.top} value={state.top ?? usualTop} onChange={(e) => set({ top: Number(e.target.value) })}>
            {[...new Set([3, 5, 10, 20, 50, state.top ?? usualTop])].sort((a, b) => a - b).map((n) => (
              <option key={n} value={n}>{n}</option>
            ))}
          </SelectField>
        )}
      </div>
      {askProp && (
        <CommitField
          label={m.explore.byPropLabel}
          value=""
          autoFocus
          onCommit={(name) => {
            setAskProp(false);
            if (name) set({ by: `prop:${name}`, only: undefined });
          }}
        />
      )}
      <div className="field">
        <span className="label">{m.explore.filter}</span>
        <FilterEditor filter={state.filter} onChange={(filter) => set({ filter })} />
      </div>
      <SelectField label={m.explore.bucket} value={bucketOf(state) === state.bucket ? state.bucket : ''} onChange={(e) => set({ bucket: (e.target.value || undefined) as ExploreState['bucket'] })}>
        <option value="">{m.explore.bucketAuto(m.explore.buckets[autoBucket(state)])}</option>
        {buckets.filter((b) => within(state, b)).map((b) => {
          const fit = fits(state, b, seriesCount(state));
          return <option key={b} value={b} disabled={!fit}>{fit ? m.explore.buckets[b] : m.explore.tooFine(m.explore.buckets[b], longest(b, seriesCount(state)))}</option>;
        })}
      </SelectField>
      <SelectField label={m.explore.zone} value={state.tz} onChange={(e) => set({ tz: e.target.value })}>
        {[...new Set([state.tz, ...zones])].map((z) => (
          <option key={z}>{z}</option>
        ))}
      </SelectField>
      <label className="check"><input type="checkbox" checked={state.compare ?? false} onChange={(e) => set({ compare: e.target.checked || undefined })} />{m.explore.compare}</label>
    </section>
  );
}

function Answer({ state, set, question }: { state: ExploreState; set: Set; question: MetricsQuery }) {
  const card = useRef<HTMLElement>(null);
  const names = useEventNames();
  const { result, previous, comparison, series, empty, fetching, stale, error, refetch } = useAnswer(state, question);
  const chart = state.chart ?? 'line';
  const isDrawn = chart === 'line' || chart === 'area' || chart === 'bar';

  return (
    <section ref={card} className="panel answer" aria-label={m.explore.chart} aria-busy={fetching}>
      <header>
        <h2 className="clamp" title={questionText(state)}>{questionText(state)}</h2>
        {fetching && <span className="spinner" role="status" aria-label={m.loading} />}
        <div className="row wrap end">
          <Segments label={m.explore.chart} value={chart} onChange={(c) => set({ chart: c })} options={charts.map((c) => ({ value: c, title: m.explore.charts[c], label: <ChartIcon chart={c} /> }))} />
          <Exports state={state} result={result} series={series} svg={isDrawn ? () => (empty ? null : (card.current?.querySelector('.plot svg') ?? null)) : undefined} />
          <Button kind="quiet" className="icon hide-narrow" aria-label={m.events.refresh} title={m.events.refresh} onClick={() => refetch()}><IconRefresh size={17} aria-hidden /></Button>
        </div>
      </header>
      <div className="body stack">
        {error ? (
          <Failure error={error} retry={refetch} />
        ) : !result ? (
          <div className="stack"><Skeleton height={44} width={180} /><Skeleton height={300} /></div>
        ) : (
          <div className={stale ? 'stale stack' : 'stack'}>
            <BigNumber result={result} comparison={comparison} only={series.length > 1 ? series.find((s) => s.key === state.only) : undefined} large={chart === 'number'} />
            {empty ? (
              <Empty icon={IconSearchOff} title={m.explore.emptyTitle}>
                <p>{m.explore.emptyText}</p>
                <div className="row wrap">
                  <Button onClick={() => set({ names: undefined, filter: undefined, by: undefined, range: '90d', from: undefined, to: undefined, bucket: undefined })}>{m.explore.reset}</Button>
                  {names.length === 0 && <Link className="button primary" to="/projects/$projectId/install" params={{ projectId: question.project_id }}>{m.overview.emptyAction}</Link>}
                </div>
              </Empty>
            ) : (
              <>
                {isDrawn && <Drawing label={questionText(state)} result={result} previous={previous} series={series} kind={chart} height={320} only={state.only} onOnly={(only) => set({ only })} onZoom={(to) => set(zoomed(state, to))} onZoomOut={state.unzoom ? () => set(unzoomed(state)) : undefined} />}
                {chart === 'table' ? <BucketTable result={result} series={series} /> : <SeriesTable series={series} result={result} comparison={comparison} />}
              </>
            )}
            <p className="small muted">
              {m.explore.meta(result.meta.took_ms.toFixed(1), result.meta.source)} · {result.tz}
              {result.meta.incomplete_from && isDrawn && !empty && ` · ${m.explore.unfinished(chart)}`}
            </p>
          </div>
        )}
      </div>
    </section>
  );
}

function ChartIcon({ chart }: { chart: Chart }) {
  const Glyph = chartIcons[chart];
  return <Glyph size={17} aria-hidden />;
}

function Exports({ state, result, series, svg }: { state: ExploreState; result: MetricsResult | undefined; series: Series[]; svg: (() => SVGSVGElement | null) | undefined }) {
  const subtitle = (r: MetricsResult) => `${describeRange({ from: r.from, to: r.to }, (iso) => date(iso, r.tz))} · ${m.explore.buckets[r.bucket]} · ${r.tz}`;
  return (
    <>
      <Button className="tiny" disabled={!result} onClick={() => result && downloadCsv(fileName(state, 'csv'), rowsOf(state, result, series))}><IconDownload size={15} aria-hidden />{m.explore.csv}</Button>
      {svg && (
        <Button
          className="tiny hide-narrow"
          disabled={!result}
          onClick={() => {
            const drawing = svg();
            if (drawing && result) void picture(drawing, { title: questionText(state), subtitle: subtitle(result), series: series.filter((s) => state.only === undefined || s.key === state.only) }).then((image) => download(fileName(state, 'png'), image));
          }}
        >
          <IconPhoto size={15} aria-hidden />{m.explore.png}
        </Button>
      )}
    </>
  );
}

const languages = { curl: asCurl, TypeScript: asTypeScript, Go: asGo };

function CodeDialog({ question, compare, onClose }: { question: MetricsQuery; compare: boolean; onClose: () => void }) {
  const [language, setLanguage] = useState<keyof typeof languages>('curl');
  const [of, setOf] = useState<'now' | 'before'>('now');
  const now = useQuery({ ...runMetricsQueryOptions({ body: question }), enabled: compare });
  const before = now.data && during(question, windowBefore(now.data));
  return (
    <Dialog title={m.explore.codeTitle} onClose={onClose} variant="wide">
      <div className="stack">
        <p className="muted">{m.explore.codeText}</p>
        <div className="row wrap">
          <Segments label={m.explore.code} value={language} onChange={setLanguage} options={(Object.keys(languages) as (keyof typeof languages)[]).map((l) => ({ value: l, label: l }))} />
          {compare && before && <Segments label={m.explore.codeOf} value={of} onChange={setOf} options={[{ value: 'now', label: m.explore.codeNow }, { value: 'before', label: m.explore.codeBefore }]} />}
        </div>
        <Code text={languages[language](of === 'before' && before ? before : question, nimbusUrl)} />
      </div>
    </Dialog>
  );
}

