import type { TrendsMeasure, TrendsSeries } from '@nimbus-analytics/sdk';
import { IconCopy, IconEye, IconEyeOff, IconMathFunction, IconPlus, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { addDays, date, isoDay, startOfDay } from '../../format';
import { numericProps, useProjectId } from '../../hooks';
import { m } from '../../messages';
import { zones } from '../../prefs';
import { isInstant, longest, fits, within } from '../../query/range';
import { Button, IconButton, TextField } from '../../ui';
import { Choice, Picker, type Option } from '../../ui/Picker';
import { Popover } from '../../ui/Popover';
import { bucketOf, bucketsOf, linesOf } from '../body';
import type { Set } from '../kind';
import { w } from '../messages';
import type { TrendsState } from '../state';
import { stepName } from '../text';
import { isHidden, letter, measures, mostSeries, needsProp, seriesOf, turned, withFormula, withLetter, withoutLetter, type Formula } from '../trends';
import { By, EventPicker, PropPicker, Where, Who } from './parts';

export function TrendsQuestion({ state: s, set }: { state: TrendsState; set: Set<TrendsState> }) {
  const series = seriesOf(s);
  const formulas = s.formulas ?? [];
  const change = (i: number, next: TrendsSeries) => set({ series: series.with(i, next), only: undefined });
  const remove = (i: number) => set({ series: series.filter((_, j) => j !== i), formulas: undefined, hidden: formulas.length > 0 ? undefined : withoutLetter(s.hidden, i), only: undefined });
  const add = (i: number, one: TrendsSeries) => set({ series: series.toSpliced(i, 0, one), hidden: withLetter(s.hidden, i), only: undefined });
  const lines = series.length + formulas.length;
  return (
    <>
      <ol className="steps">
        {series.map((one, i) => (
          // A series has no id: its position is its key.
          <li key={i} className="sentence">
            <i className="ordinal" aria-hidden>{letter(i)}</i>
            <Series one={one} label={w.trends.series(letter(i))} onChange={(next) => change(i, next)} />
            {lines > 1 && <Eye s={s} i={i} set={set} />}
            {series.length < mostSeries && <IconButton className="tiny" label={w.trends.copy(letter(i))} icon={IconCopy} onClick={() => add(i + 1, one)} />}
            {series.length > 1 && <IconButton className="tiny" label={w.picker.remove(w.trends.series(letter(i)))} icon={IconX} onClick={() => remove(i)} />}
          </li>
        ))}
        {formulas.map((formula, i) => (
          <li key={`formula ${i}`} className="sentence">
            <i className="ordinal" aria-hidden>{letter(series.length + i)}</i>
            <FormulaPicker formula={formula} letters={series.map((_, j) => letter(j))} label={w.trends.formulaOf(letter(series.length + i))} onPick={(next) => set({ formulas: formulas.with(i, next) })} />
            {lines > 1 && <Eye s={s} i={series.length + i} set={set} />}
            <IconButton className="tiny" label={w.picker.remove(w.trends.formulaOf(letter(series.length + i)))} icon={IconX} onClick={() => set({ formulas: formulas.length > 1 ? formulas.filter((_, j) => j !== i) : undefined, hidden: formulas.length > 1 ? withoutLetter(s.hidden, series.length + i) : undefined, only: undefined })} />
          </li>
        ))}
      </ol>
      <div className="sentence">
        {series.length < mostSeries && <AddSeries onPick={(event) => add(series.length, event === undefined ? {} : { event })} />}
        {formulas.length < mostSeries && (
          <FormulaPicker
            letters={series.map((_, j) => letter(j))}
            label={w.trends.addFormula}
            onPick={(formula) => set({ formulas: [...formulas, formula], hidden: withFormula(s.hidden, formula), only: undefined })}
          />
        )}
        <Who cohort={s.cohort} unit={s.unit} set={set} />
        <Where label={w.ask.whereAll} filter={s.filter} all={w.ask.everybody} onChange={(filter) => set({ filter })} />
        <By kind="trends" by={s.by} top={s.top} set={(by) => set({ ...by, only: undefined })} />
        <span className="phrase">{w.trends.each}<BucketChoice s={s} set={set} /></span>
        <span className="phrase">{w.trends.against}<Against s={s} set={set} /></span>
        <span className="phrase">{w.trends.in}<Choice label={m.explore.zone} value={s.tz} options={[...new Set([s.tz, ...zones])].map((zone) => [zone, zone])} onChange={(tz) => set({ tz })} /></span>
      </div>
    </>
  );
}

function Eye({ s, i, set }: { s: TrendsState; i: number; set: Set<TrendsState> }) {
  const off = isHidden(s, i);
  return <IconButton className="tiny" aria-pressed={!off} label={off ? w.trends.show(letter(i)) : w.trends.hide(letter(i))} icon={off ? IconEyeOff : IconEye} onClick={() => set({ hidden: turned(s.hidden, i), only: undefined })} />;
}

const modes = ['every', 'first_time', 'cumulative'] as const;
type Measure = TrendsMeasure | `rolling${7 | 30}` | 'rolling';

function Series({ one, label, onChange }: { one: TrendsSeries; label: string; onChange: (one: TrendsSeries) => void }) {
  const { event: _, filter, measure = 'count', prop, first_time, cumulative, rolling_days, any_of } = one;
  const projectId = useProjectId();
  const mode = first_time ? 'first_time' : cumulative ? 'cumulative' : 'every';
  const measured: Measure = rolling_days === undefined ? measure : rolling_days === 7 || rolling_days === 30 ? `rolling${rolling_days}` : 'rolling';
  const what = { ...(any_of ? { any_of } : one.event !== undefined && { event: one.event }), ...(filter && { filter }) };
  const how = { ...(measure !== 'count' && { measure }), ...(prop !== undefined && { prop }), ...(first_time && { first_time }), ...(cumulative && { cumulative }), ...(rolling_days !== undefined && { rolling_days }) };
  const pickMeasure = async (next: Measure) => {
    const days = next === 'rolling' ? rolling_days : next.startsWith('rolling') ? Number(next.slice('rolling'.length)) : undefined;
    if (days !== undefined) return onChange({ ...what, measure: 'users', rolling_days: days });
    const of = next as TrendsMeasure;
    const known = needsProp(of) && prop === undefined ? await numericProps(projectId, one.event).catch(() => []) : [];
    const number = prop ?? (known.length === 1 ? known[0] : undefined); // there is but one to measure
    onChange({ ...what, ...(of !== 'count' && { measure: of }), ...(needsProp(of) && number !== undefined && { prop: number }), ...(first_time && { first_time }), ...(cumulative && ['count', 'users', 'sum'].includes(of) && { cumulative }) });
  };
  const options: [Measure, string][] = [
    ...measures.slice(0, 2).map((x): [Measure, string] => [x, w.trends.measures[x]]),
    ...([7, 30] as const).map((days): [Measure, string] => [`rolling${days}`, w.trends.rolling(days)]),
    ...(measured === 'rolling' ? ([['rolling', w.trends.rolling(rolling_days!)]] as [Measure, string][]) : []),
    ...measures.slice(2).map((x): [Measure, string] => [x, w.trends.measures[x]]),
  ];
  return (
    <>
      {any_of ? <span className="word still">{stepName({ any_of })}</span> : <EventPicker label={label} value={one.event} any={w.trends.allEvents} onPick={(event) => onChange({ ...(event !== undefined && { event }), ...(filter && { filter }), ...how })} />}
      {w.trends.countedAs}
      <Choice label={w.trends.measureOf(label)} value={measured} options={options} onChange={(next) => void pickMeasure(next)} />
      {needsProp(measure) && <PropPicker label={w.trends.propOf(label)} value={prop} placeholder={w.trends.chooseProp} onPick={(next) => onChange({ ...what, ...how, ...(next !== undefined && { prop: next }) })} />}
      {!any_of && <Where label={w.ask.whereOf(label)} filter={filter} onChange={(next) => onChange({ ...(one.event !== undefined && { event: one.event }), ...(next && { filter: next }), ...how })} />}
      {rolling_days === undefined && (
        <Choice
          label={w.trends.modeOf(label)}
          value={mode}
          options={modes.filter((x) => x !== 'cumulative' || ['count', 'users', 'sum'].includes(measure)).map((x) => [x, w.trends.modes[x]])}
          onChange={(next) => onChange({ ...what, ...(measure !== 'count' && { measure }), ...(prop !== undefined && { prop }), ...(next !== 'every' && { [next]: true }) })}
        />
      )}
    </>
  );
}

/** A second event is a series of its own. */
function AddSeries({ onPick }: { onPick: (event: string | undefined) => void }) {
  return <EventPicker label={w.trends.addSeries} value={undefined} placeholder={w.trends.addSeries} anyOption={w.trends.allEvents} onPick={onPick} />;
}

const percentMark = ' %';

/** Arithmetic over the letters: usual ones to choose from, and any other by typing; a percent sign at the end writes it so. */
function FormulaPicker({ formula, letters, label, onPick }: { formula?: Formula; letters: readonly string[]; label: string; onPick: (formula: Formula) => void }) {
  const pairs = letters.flatMap((a) => letters.filter((b) => b !== a).map((b) => `${a} / ${b}`)).slice(0, 12);
  const [a, b] = letters;
  const options: Option[] = [
    ...pairs.flatMap((pair): Option[] => [{ value: `${pair}${percentMark}`, label: w.trends.percent(pair) }, { value: pair }]),
    ...(b === undefined ? [{ value: `${a} * 100` }] : [{ value: `${letters.join(' + ')}` }, { value: `${a} - ${b}` }]),
  ];
  const shown = formula ? `${formula.expression}${formula.percent ? percentMark : ''}` : label;
  return (
    <Picker
      label={label}
      shown={formula ? shown : <span className="row" style={{ gap: 5 }}><IconMathFunction size={14} aria-hidden />{shown}</span>}
      open={!formula}
      options={options}
      search={w.trends.typeFormula}
      none={w.trends.typeFormula}
      free={(text) => w.picker.use(text)}
      onPick={(text) => onPick(text.endsWith(percentMark.trim()) ? { expression: text.slice(0, -1).trim(), percent: true } : { expression: text })}
    />
  );
}

function BucketChoice({ s, set }: { s: TrendsState; set: Set<TrendsState> }) {
  const { bucket: _, ...usually } = s;
  const lines = linesOf(s);
  const options = bucketsOf(s).filter((b) => within(s, b));
  return (
    <select className="word" aria-label={m.explore.bucket} value={bucketOf(s) === s.bucket ? s.bucket : ''} onChange={(e) => set({ bucket: (e.target.value || undefined) as TrendsState['bucket'] })}>
      <option value="">{m.explore.bucketAuto(m.explore.buckets[bucketOf(usually)])}</option>
      {options.map((b) => {
        const fit = fits(s, b, lines);
        return <option key={b} value={b} disabled={!fit}>{fit ? m.explore.buckets[b] : m.explore.tooFine(m.explore.buckets[b], longest(b, lines))}</option>;
      })}
    </select>
  );
}

/** With what the range is compared: the one before, the year before, or one that begins on a day. */
function Against({ s, set }: { s: TrendsState; set: Set<TrendsState> }) {
  const [asks, setAsks] = useState(false);
  const [today] = useState(() => isoDay(Date.now(), s.tz));
  const from = isInstant(s.compare) ? s.compare : undefined;
  const value = s.compare === undefined ? '' : s.compare === true ? 'before' : from ? 'day' : 'year';
  return (
    <span className="picker">
      <Choice
        label={m.explore.compare}
        value={value}
        options={[['', w.trends.nothing], ['before', w.trends.before], ['year', w.trends.year], ...(from ? ([['day', w.trends.since(date(from, s.tz))]] as ['day', string][]) : []), ['ask', w.trends.otherDay]]}
        onChange={(next) => (next === 'ask' ? setAsks(true) : set({ compare: next === 'before' ? true : next === 'year' ? next : next === 'day' ? from : undefined }))}
      />
      {asks && (
        <Popover label={w.trends.otherDay} onClose={() => setAsks(false)}>
          <form
            className="row"
            style={{ alignItems: 'flex-end' }}
            onSubmit={(e) => {
              e.preventDefault();
              const day = new FormData(e.currentTarget).get('day') as string;
              setAsks(false);
              set({ compare: startOfDay(day, s.tz).toISOString() });
            }}
          >
            <TextField label={w.trends.fromDay} name="day" type="date" required defaultValue={from ? isoDay(from, s.tz) : addDays(today, -364)} max={today} />
            <Button type="submit"><IconPlus size={15} aria-hidden />{m.range.apply}</Button>
          </form>
        </Popover>
      )}
    </span>
  );
}
