import type { MetricsQuery, MetricsResult } from '@nimbus-analytics/sdk';
import { Link } from '@tanstack/react-router';
import { IconChartArea, IconChartBar, IconChartLine, IconDownload, IconNumbers, IconPhoto, IconRefresh, IconSearchOff, IconTable, IconX, IconZoomOut, type Icon } from '@tabler/icons-react';
import { useMemo, useRef, useState, type ReactNode } from 'react';
import type { Series } from '../../charts/series';
import { date } from '../../format';
import { useEventNames, useProject, usePropNames, useReport } from '../../hooks';
import { downloadCsv } from '../../lib/download';
import { m } from '../../messages';
import { zones } from '../../prefs';
import { Button, CommitField, CopyButton, Empty, Failure, Segments, SelectField, Skeleton } from '../../ui';
import { useAnswer } from '../../query/answer';
import { CodeButton } from './CodeButton';
import { Drawing } from '../../query/Drawing';
import { FilterEditor } from '../../query/FilterEditor';
import type { TrendsState } from '../../insights/state';
import { bucketOf, fileName, needsProp, questionOf, questionText, rowsOf, seriesCount } from '../../query/question';
import { autoBucket, buckets, describeRange, fits, longest, within } from '../../query/range';
import { isExplored } from '../../query/report';
import { RangePicker } from '../../query/RangePicker';
import { BigNumber, BucketTable, SeriesTable } from '../../query/results';
import { ReportTitle, SaveButtons, ViewerNote } from './Saving';
import { charts, measures, unzoomed, usualTop, zoomed, type Chart, type ExploreState } from '../../query/search';

const chartIcons: Record<Chart, Icon> = { line: IconChartLine, area: IconChartArea, bar: IconChartBar, table: IconTable, number: IconNumbers };

/** How much happened, over time. */
export function Trends({ state, set, kind }: { state: TrendsState; set: Set; kind: ReactNode }) {
  const project = useProject()!;
  const question = useMemo(() => questionOf(state, project.id), [state, project.id]);
  const kept = useReport(project.id, state.report);
  const report = kept.data && isExplored(kept.data) ? kept.data : undefined;
  return (
    <>
      <header className="page-head">
        <ReportTitle state={state} report={report} error={kept.error} pending={kept.isPending} />
        <div className="row wrap end">
          {state.unzoom && <Button onClick={() => set(unzoomed(state))}><IconZoomOut size={16} aria-hidden />{m.explore.zoomOut}</Button>}
          <RangePicker range={state} zone={state.tz} onChange={(r) => set({ range: undefined, from: undefined, to: undefined, bucket: undefined, unzoom: undefined, ...r })} />
          <CopyButton className="" text={location.href} label={m.explore.share} />
          <CodeButton projectId={project.id} state={state} disabled={!question} />
          <SaveButtons projectId={project.id} state={state} report={report} onSaved={(id) => set({ report: id })} />
        </div>
      </header>
      <ViewerNote />
      {kind}
      <div className="explore">
        <Builder state={state} set={set} />
        {question ? <Answer state={state} set={set} question={question} /> : <section className="panel"><Empty icon={IconNumbers} title={m.explore.propNeeded}><p>{m.explore.needProp}</p></Empty></section>}
      </div>
    </>
  );
}

type Set = (change: Partial<ExploreState>) => void;

/** Two events are two series, unless they are broken down otherwise or added together on purpose. */
function withNames({ names: before = [], by }: TrendsState, names: string[]) {
  const more = names.length > 1;
  return { names: names.length > 0 ? names : undefined, ...(more && before.length < 2 && !by && { by: 'name' }), ...(!more && by === 'name' && { by: undefined, only: undefined }) };
}

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
          onCommit={(name) => name && set(withNames(state, [...new Set([...chosen, name])]))}
        />
        {chosen.length > 0 && (
          <div className="chips">
            {chosen.map((name) => (
              <button key={name} type="button" className="chip" aria-label={m.explore.remove(name)} onClick={() => set(withNames(state, chosen.filter((n) => n !== name)))}>
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
          <option value="">{chosen.length > 1 ? m.explore.byTogether : m.explore.byNone}</option>
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
            const shown = series.filter((s) => state.only === undefined || s.key === state.only);
            if (drawing && result) void import('../../charts/picture').then(({ savePicture }) => savePicture(fileName(state, 'png'), drawing, { title: questionText(state), subtitle: subtitle(result), series: shown }));
          }}
        >
          <IconPhoto size={15} aria-hidden />{m.explore.png}
        </Button>
      )}
    </>
  );
}
